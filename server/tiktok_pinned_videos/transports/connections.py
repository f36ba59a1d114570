"""uvicorn's h11 protocol, with timeouts and limits for connections that uvicorn does not have.

A connection is pending until a request on it is authenticated. Pending connections are closed after `HEAD_TIMEOUT` with
an unfinished head and after `IDLE_TIMEOUT` in any case. When there are more than `MAX_PENDING`, the oldest are closed,
but none that is younger than a second, so that any number of callers may connect at the same moment. A connection whose
peer does not read is closed after `WRITE_TIMEOUT`.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, ClassVar, Final

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers, or of trailers."""
MAX_PENDING: Final = 256
MIN_AGE: Final = 1.0
"""Seconds for which a connection cannot be evicted."""
HEAD_TIMEOUT: Final = 20.0
IDLE_TIMEOUT: Final = 75.0
"""Above the 60 s of common load balancers, so that they close first."""
WRITE_TIMEOUT: Final = 60.0
_MAX_READ: Final = 16 * 1024
"""Bytes that one read returns; asyncio's own limit is 256 KiB for each of a thousand connections."""
_PIECE: Final = 1024
LINGER: Final = 1.0
"""Seconds in which a rejected client that is still sending can read why."""


def admit(scope: Scope) -> None:
    """Mark the connection of an authenticated request: it is not evicted, and only `WRITE_TIMEOUT` applies."""
    for connection in _connection_of(scope):
        connection.admit()


def is_pending(scope: Scope) -> bool:
    """Return whether no request of this connection has been authenticated."""
    return any(connection.is_pending() for connection in _connection_of(scope))


def _connection_of(scope: Scope) -> list[Connection]:
    reference: weakref.ref[Connection] | None = scope.get("state", {}).get("connection")
    connection = reference() if reference is not None else None
    return [connection] if connection is not None else []


class _LingeringTransport:
    """The transport that uvicorn gets. It delays closing a connection that still receives a request.

    Closing a socket with unread bytes resets it, and the client may never read the response.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def limit_reads(self, size: int) -> None:
        setattr(self._transport, "max_size", size)  # noqa: B010 - asyncio declares it for its own transports only

    def is_closing(self) -> bool:
        return self._lingers or self._transport.is_closing()

    def resume_reading(self) -> None:
        if not self._lingers:
            self._transport.resume_reading()

    def close(self) -> None:
        if self.is_closing() or not self._connection.is_receiving() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._lingers = True
        self._transport.pause_reading()
        self._transport.write_eof()
        self._connection.linger()


class Connection(H11Protocol):
    """One connection. All connections of a process share the list of pending ones, oldest first."""

    _pending: ClassVar[dict[Connection, float]] = {}
    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _in_head = False
    _held = b""
    """Bytes after the head of a request that is not authenticated yet. They are not parsed, and reading is paused."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Start the timeout, and close the oldest connection if too many are pending."""
        wrapped: Any = _LingeringTransport(transport, self)
        wrapped.limit_reads(_MAX_READ)
        super().connection_made(wrapped)
        # Weak, so that a request does not keep what was read from the connection.
        self.app_state = self.app_state | {"connection": weakref.ref(self)}
        now = self.loop.time()
        self._pending[self] = now
        self._set_timer(IDLE_TIMEOUT)
        while len(self._pending) > MAX_PENDING:
            oldest, since = next(iter(self._pending.items()))
            if now - since < MIN_AGE:
                break
            del self._pending[oldest]
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes. For a pending connection, hold back the bytes after the head."""
        if not self.is_pending():
            super().data_received(data)
        else:
            # h11 takes 25 microseconds for a chunk of one byte.
            while data and not self.is_answering():
                super().data_received(data[:_PIECE])
                data = data[_PIECE:]
            if self.is_answering():
                self._held += data
                self.transport.pause_reading()
        self._watch_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may have been received already."""
        self._in_head = False
        if self.transport.is_closing():
            return
        self._set_timer(IDLE_TIMEOUT)
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._watch_head()

    def timeout_keep_alive_handler(self) -> None:
        """Ignore uvicorn's timeout, which every byte extends."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._pending.pop(self, None)
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timeout for a peer that does not read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that timeout."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Send a 400 unless a response has begun, and end the current request."""
        if self.is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore offers to upgrade, as RFC 9110 says."""

    def is_pending(self) -> bool:
        """See the function."""
        return self in self._pending

    def admit(self) -> None:
        """See the function."""
        self._set_timer(None)
        if self._pending.pop(self, None) is not None:
            held, self._held = self._held, b""
            self.transport.resume_reading()
            if held:
                super().data_received(held)

    def linger(self) -> None:
        """Drop what was received and close soon."""
        cycle: Any = self.cycle
        if cycle is not None:
            cycle.body.clear()
        self._held = b""
        self._pending.setdefault(self, self.loop.time())
        self._set_timer(LINGER)

    def is_answering(self) -> bool:
        """Return whether the application is processing a request of this connection."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def is_receiving(self) -> bool:
        """Return whether the peer may still send bytes of a request."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _watch_head(self) -> None:
        if not self._in_head and not self.is_answering() and not self.transport.is_closing():
            self._in_head = True
            self._set_timer(HEAD_TIMEOUT)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
