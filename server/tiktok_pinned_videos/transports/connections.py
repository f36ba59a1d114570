"""uvicorn's h11 protocol, with timeouts and limits for connections that uvicorn does not have.

A request must arrive within `REQUEST_TIMEOUT`, and a peer that does not read is disconnected after `WRITE_TIMEOUT`.
When more than `MAX_PENDING` new connections owe a head, the oldest are closed, but none that is younger than a second,
so that any number of callers may connect at the same moment. After a head, nothing more is read until the application
asks for the body, which it does after authentication.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, ClassVar, Final

import h11
from starlette.types import Message, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers, or of trailers."""
MAX_PENDING: Final = 256
MIN_AGE: Final = 1.0
"""Seconds for which a connection cannot be evicted."""
REQUEST_TIMEOUT: Final = 20.0
IDLE_TIMEOUT: Final = 75
"""Seconds between requests; above the 60 s of common load balancers, so that they close first."""
WRITE_TIMEOUT: Final = 60.0
_MAX_READ: Final = 16 * 1024
"""Bytes that one read returns; asyncio's own limit is 256 KiB for each of a thousand connections."""
LINGER: Final = 1.0
"""Seconds in which a rejected client that is still sending can read why."""


def admit(scope: Scope) -> None:
    """Keep the connection of this authenticated request open for further ones."""
    if (connection := _connection_of(scope)) is not None:
        connection.admitted = True


async def send_last(scope: Scope, send: Send, message: Message) -> None:
    """Send a part of a response. Unless the client is authenticated, its connection is closed after it."""
    connection = _connection_of(scope)
    if connection is not None and not connection.admitted:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif not message.get("more_body") and connection.conn.their_state is h11.SEND_BODY:
            # Closing a socket with unread bytes resets it, and the client may never read the response.
            await send({**message, "more_body": True})
            connection.transport.write_eof()
            connection.cycle.body.clear()
            await asyncio.sleep(LINGER)
            connection.cycle.disconnected = True
            connection.transport.abort()
            return
    await send(message)


def _connection_of(scope: Scope) -> Connection | None:
    reference: weakref.ref[Connection] | None = scope.get("state", {}).get("connection")
    return reference() if reference is not None else None


class Connection(H11Protocol):
    """One connection. All connections of a process share the list of those that owe their first head, oldest first."""

    _pending: ClassVar[dict[Connection, float]] = {}
    admitted = False
    """Whether a request on it was authenticated."""
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Wait for the first head, and close the oldest connections if too many are pending."""
        setattr(transport, "max_size", _MAX_READ)  # noqa: B010 - asyncio declares it for its own transports only
        super().connection_made(transport)
        # Weak, so that a request does not keep what was read from the connection.
        self.app_state = self.app_state | {"connection": weakref.ref(self)}
        now = self._pending[self] = self.loop.time()
        self._reading = self.loop.call_later(REQUEST_TIMEOUT, transport.abort)
        while len(self._pending) > MAX_PENDING:
            oldest, since = next(iter(self._pending.items()))
            if now - since < MIN_AGE:
                break
            del self._pending[oldest]
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, with a timeout until the request is complete."""
        if self._reading is None and not self._is_answering():
            self._reading = self.loop.call_later(REQUEST_TIMEOUT, self.transport.abort)
        super().data_received(data)
        if self._is_answering():
            self._pending.pop(self, None)
            if self.conn.their_state is not h11.SEND_BODY:
                self._reading = _cancelled(self._reading)
            if not self.admitted:
                self.flow.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._pending.pop(self, None)
        self._reading, self._writing = _cancelled(self._reading), _cancelled(self._writing)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timeout for a peer that does not read."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that timeout."""
        super().resume_writing()
        self._writing = _cancelled(self._writing)

    def send_400_response(self, msg: str) -> None:
        """Reject what is not HTTP. In the middle of a request only the connection can be closed."""
        if self._is_answering():
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
