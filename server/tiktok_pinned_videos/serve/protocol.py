"""uvicorn's httptools protocol, with bounds on a request's head: it has none of its own, neither in size nor in time.

It also sends in one piece what is written at once: uvicorn writes head and body of an answer by themselves, which costs
the system twice and wakes the client twice. Without httptools (extra `http`) uvicorn's h11 serves, which bounds the
size itself.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers."""
HEAD_TIME = 20.0
"""Seconds from connecting, or from the first byte of a later request, to the end of the headers."""
_GATHERED_AT_MOST: Final = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Hangs up on a head that is too long or does not end."""

    _in_head = True
    _moved_on = False
    _size = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Start waiting for the first head."""
        super().connection_made(cast("asyncio.Transport", _Gathered(transport, self.loop)))
        self._start_patience()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then look whether it is still in a head."""
        self._moved_on = False
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        # What follows a finished message in the same piece is at most one piece: not counted.
        self._size = 0 if self._moved_on else self._size + len(data)
        if self._size > MAX_HEAD:
            self.send_400_response("Request head too large.")
        elif self._size and self._patience is None:
            self._start_patience()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Without the space around a value: it is no part of it (RFC 9110), and httptools leaves it at the end."""
        super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._in_head, self._moved_on = False, True
        self._stop_patience()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is a head again."""
        self._in_head, self._moved_on, self._size = True, True, 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop_patience()
        super().connection_lost(exc)

    def _start_patience(self) -> None:
        self._patience = self.loop.call_later(HEAD_TIME, self.transport.close)

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Gathered:
    """A transport that sends what is written in one turn of the event loop together, at the end of that turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """As a transport's. Much is sent at once, so that the transport can ask for a pause."""
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _GATHERED_AT_MOST:
            self._send()

    def close(self) -> None:
        """As a transport's: what was written is still sent."""
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))
