"""uvicorn's h11 protocol, with bounds on connections: how many there are, and how long one may keep us waiting.

A connection that has no call under way is closed after `IDLE` seconds whatever it drips, `HEAD_TIME` seconds after the
first byte of a head that does not end, and `WRITE_TIME` seconds after its peer has stopped reading. Only the gate knows
whose call it is: a connection without an admitted call is unauthenticated, and of more than `MAX_UNAUTHENTICATED` the
oldest is closed. So is, of more than `MAX_CONNECTIONS` in all, the
one without a call for longest. Bytes are parsed by h11, which bounds heads and trailers in size.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Final

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers, or of trailers."""
MAX_CONNECTIONS = 384
MAX_UNAUTHENTICATED = 256
HEAD_TIME = 20.0
IDLE = 75.0
"""Seconds; above the 60 s of common load balancers, so that they hang up first."""
WRITE_TIME = 60.0
_CONNECTION: Final = "connection"


def admit(scope: Scope) -> None:
    """Tell the connection that this request may be answered whatever it takes; until then it may be closed."""
    connection: weakref.ref[Connection] | None = scope.get("state", {}).get(_CONNECTION)
    known = connection() if connection is not None else None
    if known is not None:
        known.admit()


class Connection(H11Protocol):
    """One connection; all of a process share the order in which they came or became idle."""

    _unauthenticated: dict[Connection, None] = {}  # noqa: RUF012 - shared on purpose: uvicorn makes one protocol per connection
    _resting: dict[Connection, None] = {}  # noqa: RUF012 - as above

    _admitted = False
    _head_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Make room for it, if need be."""
        super().connection_made(transport)
        # Weak: a request must not keep the connection, and what was read from it, until garbage is collected.
        self.app_state = self.app_state | {_CONNECTION: weakref.ref(self)}
        self._unauthenticated[self] = None
        self._idle_timer = self.loop.call_later(IDLE, self._give_up)
        if len(self._unauthenticated) > MAX_UNAUTHENTICATED:
            self._drop_oldest(self._unauthenticated)
        elif len(self.connections) > MAX_CONNECTIONS:
            # This one may be the only unauthenticated one; then all places are taken by calls, and it goes.
            self._drop_oldest(self._resting or self._unauthenticated)

    def data_received(self, data: bytes) -> None:
        """Pass on to the parser; what begins no call is the beginning of a head."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """The call has ended; what was sent behind it may begin the next at once."""
        if self._admitted:
            self._admitted = False
            self._resting[self] = None
        self._stop_timers()
        self._idle_timer = self.loop.call_later(IDLE, self._give_up)
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_timers()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._unauthenticated.pop(self, None)
        self._resting.pop(self, None)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer does not read; that is waited for, but not for ever."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIME, self.transport.abort)

    def resume_writing(self) -> None:
        """The peer has read."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        """Say it unless something else has been said; whoever is at work on an answer may stop."""
        if self._has_call():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Never reached: without a WebSocket library an offer to upgrade is ignored, as RFC 9110 says."""
        self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn of: the offer is ignored."""

    def admit(self) -> None:
        """See the function."""
        self._admitted = True
        self._stop_timers()
        self._unauthenticated.pop(self, None)
        self._resting.pop(self, None)

    @staticmethod
    def _drop_oldest(among: dict[Connection, None]) -> None:
        oldest = next(iter(among))
        del among[oldest]
        oldest.transport.abort()

    def _watch_head(self) -> None:
        if self._head_timer is None and not self._has_call():
            self._head_timer = self.loop.call_later(HEAD_TIME, self._give_up)

    def _has_call(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _give_up(self) -> None:
        if not self._admitted:
            self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._idle_timer = None
