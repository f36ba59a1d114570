"""uvicorn's h11 protocol, with bounds on connections: how many there are, and how long one may keep us waiting.

A connection that has no call under way is closed after `IDLE` seconds whatever it drips, `HEAD_TIME` seconds after the
first byte of a head that does not end, and `WRITE_TIME` seconds after its peer has stopped reading. Only the gate knows
whose call it is: a connection that has brought none it admitted is a stranger's; the event loop (`turns`) hears few of
those in a turn, and of more than `MOST_STRANGERS` the oldest goes. So does, of more than `MOST_CONNECTIONS` in all, the
one without a call for longest. Bytes are parsed by h11, which bounds heads and trailers in size.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from typing import Any, Final, cast

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from .turns import Loop

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers, or of trailers."""
MOST_CONNECTIONS = 384
MOST_STRANGERS = 256
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


class _Gathered:
    """A transport that sends what is written in one turn of the loop at once: a head and its body are one packet."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send it with whatever else is written in this turn."""
        if data:
            if not self._written:
                self._loop.call_soon(self._flush)
            self._written.append(data)

    def close(self) -> None:
        """Send the rest, then close."""
        self._flush()
        self._transport.close()

    def end(self) -> None:
        """Nothing is read any more: asyncio's transport and the method of it that reads need not hold each other.

        They would do so until garbage is collected; among strangers that is thousands at once, and takes long.
        """
        vars(self._transport).pop("_read_ready_cb", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._written:
            self._transport.write(b"".join(self._written))
            self._written.clear()


class Connection(H11Protocol):
    """One connection; all of a process share the order in which they came or became idle."""

    _strangers: dict[Connection, None] = {}  # noqa: RUF012 - shared on purpose: uvicorn makes one protocol per connection
    _resting: dict[Connection, None] = {}  # noqa: RUF012 - as above

    _admitted = False
    _head_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Make room for it, if need be."""
        self._gathered = _Gathered(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._gathered))
        # Weak: a request must not keep the connection, and what was read from it, until garbage is collected.
        self.app_state = self.app_state | {_CONNECTION: weakref.ref(self)}
        self._fd = transport.get_extra_info("socket").fileno()
        self._turns = self.loop.turns if isinstance(self.loop, Loop) else None
        if self._turns:
            self._turns.defer(self._fd)
        self._strangers[self] = None
        self._idle_timer = self.loop.call_later(IDLE, self._give_up)
        if len(self._strangers) > MOST_STRANGERS:
            self._drop_oldest(self._strangers)
        elif len(self.connections) > MOST_CONNECTIONS:
            # This one may be the only stranger; then all places are taken by calls, and it goes.
            self._drop_oldest(self._resting or self._strangers)

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
        if self._turns:
            self._turns.forget(self._fd)
        self._stop_timers()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._strangers.pop(self, None)
        self._resting.pop(self, None)
        super().connection_lost(exc)
        self._gathered.end()

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
        fault = sys.exception()
        if fault is not None:
            # h11's fault and its traceback hold each other, and what was read, until garbage is collected.
            fault.__traceback__ = None
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
        if self._turns:
            self._turns.admit(self._fd)
        self._stop_timers()
        self._strangers.pop(self, None)
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
