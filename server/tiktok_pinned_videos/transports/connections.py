"""uvicorn's h11 protocol, with limits for connections that uvicorn does not have.

A request must arrive within `REQUEST_TIMEOUT`. When more than `MAX_PENDING` connections owe their first head for a
second or longer, the oldest are closed. So any number of callers may connect at the same moment. After a head, nothing
more is read until the application asks for the body, which it does after authentication.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import h11
from starlette.types import Message, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .auth import log_rejection

MAX_PENDING: Final = 256
MIN_AGE: Final = 1.0
"""Seconds for which a connection cannot be evicted."""
REQUEST_TIMEOUT: Final = 20.0
_MAX_READ: Final = 2 * 1024  # bytes: all that h11 parses and keeps before authentication; a tiny chunk takes 10 µs
LINGER: Final = 1.0
"""Seconds in which a rejected client that is still sending can read why."""


async def send_last(scope: Scope, send: Send, message: Message) -> None:
    """Send a part of a response. After a rejection the connection is closed."""
    connection: Connection | None = scope.get("state", {}).get("connection", lambda: None)()
    if message["type"] == "http.response.start" and message["status"] >= 400:
        unread = connection is not None and connection.conn.their_state is h11.SEND_BODY
        # 405 answers the GET by which clients ask for a stream. Some send the next request while a connection closes.
        if unread or message["status"] != 405:
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        if message["status"] not in (401, 403, 421):  # logged with their reasons
            log_rejection(message["status"], f"{scope['method']} {scope['path']!r}")
        if connection is not None:
            connection.lingers = unread
    elif connection is not None and connection.lingers and not message.get("more_body"):
        # Closing a socket with unread bytes resets it, and the client may never read the response.
        await send({**message, "more_body": True})
        connection.transport.write_eof()
        connection.cycle.body.clear()
        await asyncio.sleep(LINGER)
        connection.cycle.disconnected = True
        connection.transport.abort()
        return
    await send(message)


class Connection(H11Protocol):
    """One connection. All connections of a process share the list of those that can be evicted, oldest first."""

    _pending: ClassVar[dict[Connection, None]] = {}
    lingers = False
    """Whether a request on it was rejected before its body arrived."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Wait for the first head."""
        setattr(transport, "max_size", _MAX_READ)  # noqa: B010 - asyncio declares it for its own transports only
        super().connection_made(transport)
        # Weak, so that a request does not keep what was read from the connection.
        self.app_state = self.app_state | {"connection": weakref.ref(self)}
        # The event loop reads what has arrived before it runs a timer. So on a machine that is too busy to read for a
        # second, no connection is evicted whose head has arrived.
        self._timer = self.loop.call_later(MIN_AGE, self._become_pending)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, with a timeout until the request is complete."""
        super().data_received(data)
        if self._is_answering():
            self._pending.pop(self, None)
            if self.conn.their_state is not h11.SEND_BODY:
                self._stop_timer()
                return
            self.flow.pause_reading()
        if self._timer is None:
            self._timer = self.loop.call_later(REQUEST_TIMEOUT, self.transport.abort)

    def _become_pending(self) -> None:
        """Close the oldest pending connection if there are too many."""
        self._timer = self.loop.call_later(REQUEST_TIMEOUT - MIN_AGE, self.transport.abort)
        if not self._is_answering():
            self._pending[self] = None
        if len(self._pending) > MAX_PENDING:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._pending.pop(self, None)
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Reject what is not HTTP. After the beginning of a response only the connection can be closed."""
        log_rejection(400, msg)
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        if self._is_answering():
            self.cycle.disconnected = True
        super().send_400_response(msg)

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer = self._timer.cancel()


SETTINGS: Final[Mapping[str, Any]] = {
    "http": Connection,
    "backlog": 2048,
    # Above the 60 s of common load balancers, so that they close first.
    "timeout_keep_alive": 75,
    "h11_max_incomplete_event_size": 64 * 1024,
}
"""Settings of uvicorn for these connections."""
