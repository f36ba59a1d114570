"""uvicorn's h11 protocol, with bounds on connections: how many there are, and how long one may keep us waiting.

A connection that has no call under way is closed after `IDLE` seconds whatever it drips, and `HEAD_TIME` seconds after
the first byte of a head that does not end. When there are more than `MOST_CONNECTIONS`, the one that has been idle for
longest goes. Bytes are parsed by h11, which bounds heads and trailers in size.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers, or of trailers."""
MOST_CONNECTIONS = 384
HEAD_TIME = 20.0
IDLE = 75.0
"""Seconds; above the 60 s of common load balancers, so that they hang up first."""


class Connection(H11Protocol):
    """One connection; all of a process share the order in which they became idle."""

    _idle: dict[Connection, None] = {}  # noqa: RUF012 - shared on purpose: uvicorn makes one protocol per connection

    _head_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Make room for it, if need be."""
        super().connection_made(transport)
        self._rest()
        if len(self.connections) > MOST_CONNECTIONS:
            # The newest may be the only idle one; then all places are taken by calls, and it goes.
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on to the parser, then see whether a call is under way."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """The call has ended; what was sent behind it may begin the next at once."""
        self._rest()
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_timers()
        self._idle.pop(self, None)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Never reached: without a WebSocket library an offer to upgrade is ignored, as RFC 9110 says."""
        self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn of: the offer is ignored."""

    def _look(self) -> None:
        if self._has_call():
            self._stop_timers()
            self._idle.pop(self, None)
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIME, self._give_up)

    def _has_call(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _rest(self) -> None:
        self._stop_timers()
        self._idle.pop(self, None)
        self._idle[self] = None
        self._idle_timer = self.loop.call_later(IDLE, self._give_up)

    def _give_up(self) -> None:
        if not self._has_call():
            self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._idle_timer = None
