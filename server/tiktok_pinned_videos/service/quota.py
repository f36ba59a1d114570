"""Which requests may be sent: the day's quota, counted before they are sent, and the pause after a rate limit.

TikTok counts per project and day and starts anew at 00:00 UTC. There is no endpoint for what is left, so this
ledger, shared by everybody who shares the store, is all one can know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from tiktok_pinned_videos.research.budget import PausedError
from tiktok_pinned_videos.research.errors import QuotaExceededError
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Delete, Hold, Increment, Read, Remaining, Write

from .caller import CALLER

LONGEST_PAUSE: Final = 60.0
"""Seconds; after that a request is tried again, however long TikTok asked to wait."""

_ONE: Final = timedelta(days=1)
_PROBE_INTERVAL: Final = 3600.0
_LOOK_AGAIN: Final = 5.0
_JUST_NOW: Final = 1.0
"""Seconds for which what was read of the store is still good enough to send a request by."""
_NOTE_FROM: Final = 0.8
_PAUSE: Final = "pause"
_SPENT: Final = "TikTok said the daily quota of the project is spent; nothing was sent."


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """Where the day stands."""

    used: int
    """Research requests reserved since 00:00 UTC."""
    quota: int
    resets_at: str
    """ISO 8601, UTC."""
    closed: bool
    """Whether TikTok itself said that the day's quota is spent."""


@dataclass(frozen=True, slots=True)
class QuotaState:
    """What the store said of a day, for a request that is about to be sent."""

    day: date
    read_at: float
    """Unix seconds."""
    closed: bool
    paused: bool


@dataclass(frozen=True, slots=True)
class DayReservation:
    """One request of one day; whoever holds it says what became of it. See `research.transport.Reservation`."""

    ledger: Ledger
    day: date
    probe: bool
    """Whether it was sent to find out if a closed day is open again."""

    async def answered(self) -> None:
        """A day that was closed is open again, if this was the probe.

        What was on its way when the day closed may be answered after the refusal, and proves nothing.
        """
        if self.probe:
            await self.ledger.open(self.day)

    async def refused(self) -> None:
        """Send nothing more that day but the probes."""
        await self.ledger.close(self.day)


class Ledger:
    """Implements `research.transport.Budget` on a `StateStore`. `caller_quota`: of one caller, 0 for no limit."""

    def __init__(self, store: StateStore, *, quota: int, clock: Callable[[], float], caller_quota: int = 0) -> None:
        self._store = store
        self._quota = quota
        self._caller_quota = caller_quota
        self._clock = clock
        self._seen = (0.0, date.min, 0)  # when looked at, day, requests used
        self._closing: date | None = None
        self._changed_at = 0.0  # by this process: what was read before then is out of date

    def keys(self) -> tuple[str, ...]:
        """What `quota_state` is made from, for whoever reads other keys as well."""
        return _closed(self._today()), _PAUSE

    def quota_state(self, values: Sequence[bytes | None], read_at: float) -> QuotaState:
        """What the values of `keys` say, as of `read_at` (Unix seconds)."""
        closed, paused = values
        return QuotaState(_day_of(read_at), read_at, closed is not None, paused is not None)

    async def reserve(self, known: object = None) -> DayReservation:
        """Take one request of today. Raises `QuotaExceededError`, or `PausedError` while none may be sent.

        `known` is a `QuotaState`; where there is none, or it is old, the store is read again.
        """
        day, now = self._today(), self._clock()
        if not isinstance(known, QuotaState) or not self._is_current(known, day, now):
            known = self.quota_state(await self._store.do(Read(self.keys())), now)
        left = await self._store.do(Remaining((_PAUSE,))) if known.paused else 0.0
        # No pause is longer, so what seems to be was set before the clock of this machine was put back.
        if 0 < left <= LONGEST_PAUSE:
            raise PausedError(left)
        if self._closing == day:  # known already, though it is still being written
            raise QuotaExceededError(_SPENT)
        # Somebody has to find out whether TikTok reopened: one probe an hour for everybody with the same quota.
        if known.closed and not await self._store.do(self._probe(day, only_if_absent=True)):
            raise QuotaExceededError(_SPENT)
        await self._charge_caller(day)
        used = await self._count(_used(day), day, ceiling=self._quota)
        self._saw(day, self._quota if used is None else used)
        if used is None:
            raise QuotaExceededError(
                f"the {self._quota} requests of today (TIKTOK_DAILY_QUOTA) are spent; nothing was sent."
            )
        return DayReservation(self, day, probe=known.closed)

    async def pause(self, seconds: float) -> None:
        """Have everyone wait that long, at most a minute; a pause under way is never shortened."""
        await self._store.do(Hold((_PAUSE,), min(LONGEST_PAUSE, max(0.05, seconds))))
        self._changed_at = self._clock()

    async def close(self, day: date) -> None:
        """TikTok said `daily_quota_limit_exceeded` about a request of that day."""
        self._closing = day
        try:
            await self._store.run(Write((_closed(day),), b"1", self._left(day)), self._probe(day))
        finally:
            self._closing, self._changed_at = None, self._clock()

    async def open(self, day: date) -> None:
        """A probe of that day was answered."""
        await self._store.do(Delete((_closed(day),)))

    async def status(self) -> QuotaStatus:
        """Read the store; never sends anything."""
        day = self._today()
        used, closed = await self._store.do(Read((_used(day), _closed(day))))
        return QuotaStatus(self._saw(day, int(used or 0)), self._quota, f"{day + _ONE}T00:00:00Z", closed is not None)

    def seen_today(self) -> int:
        """Requests used today as this process last saw it, 0 before it looked; reads no store, from any thread."""
        _, seen_day, used = self._seen
        return used if seen_day == self._today() else 0

    async def note(self) -> str | None:
        """What an answer should say once 80 % of the day are spent."""
        day = self._today()
        seen_at, seen_day, used = self._seen
        if seen_day != day or not 0 <= self._clock() - seen_at < _LOOK_AGAIN:
            (value,) = await self._store.do(Read((_used(day),)))
            used = self._saw(day, int(value or 0))
        if used < _NOTE_FROM * self._quota:
            return None
        return f"Quota: {used} of {self._quota} requests used today; it resets at 00:00 UTC."

    def _saw(self, day: date, used: int) -> int:
        self._seen = (self._clock(), day, used)
        return used

    def _is_current(self, known: QuotaState, day: date, now: float) -> bool:
        return known.day == day and 0 <= now - known.read_at <= _JUST_NOW and known.read_at > self._changed_at

    def _probe(self, day: date, *, only_if_absent: bool = False) -> Write:
        # By quota: whoever changes TIKTOK_DAILY_QUOTA has most likely been granted more, and asks at once.
        key, ttl = f"probe:{day}:{self._quota}", min(_PROBE_INTERVAL, self._left(day))
        return Write((key,), b"1", ttl, only_if_absent)

    async def _charge_caller(self, day: date) -> None:
        caller = CALLER.get()
        if not self._caller_quota or caller is None:
            return
        key = f"caller:{day}:{hashlib.sha256(caller.encode()).hexdigest()[:16]}"
        if await self._count(key, day, ceiling=self._caller_quota) is None:
            raise QuotaExceededError(
                f"your share of {self._caller_quota} requests a day (MCP_CALLER_QUOTA) is spent; nothing was sent.",
            )

    async def _count(self, key: str, day: date, *, ceiling: int) -> int | None:
        return await self._store.do(Increment((key,), 1, self._left(day) + _PROBE_INTERVAL, ceiling=ceiling))

    def _left(self, day: date) -> float:
        """Seconds until it ends; at least one, for what is written about a day that has just ended."""
        return max(1.0, datetime.combine(day + _ONE, time(), UTC).timestamp() - self._clock())

    def _today(self) -> date:
        return _day_of(self._clock())


def _day_of(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()


def _used(day: date) -> str:
    return f"used:{day}"


def _closed(day: date) -> str:
    return f"closed:{day}"
