"""Reserve each request in the day's quota before it is sent, and store the pause after a rate limit.

TikTok counts per project and resets the count at 00:00 UTC. No endpoint returns the remaining quota, so the
ledger counts the requests of all processes that share the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from tiktok_pinned_videos.research.budget import PausedError, RequestContext, Reservation
from tiktok_pinned_videos.research.errors import QuotaExceededError, reset_time
from tiktok_pinned_videos.state.base import Counter, Entry, Store

from .caller import CALLER

MAX_PAUSE: Final = 60.0
"""The longest pause in seconds, even if TikTok asks for a longer one."""

_ONE_DAY: Final = timedelta(days=1)
_PROBE_INTERVAL: Final = 3600.0
_NOTE_FROM: Final = 0.8
_PAUSE: Final = "pause"


class QuotaStatus(NamedTuple):
    """The quota of the current day: requests since 00:00 UTC, and whether TikTok said it is used up (`closed`)."""

    used: int
    quota: int
    resets_at: str  # ISO 8601, UTC
    closed: bool


class Ledger:
    """Implements `research.budget.Budget` on a `Store`. `caller_quota`: requests per caller and day, 0: no limit."""

    def __init__(self, store: Store, *, quota: int, clock: Callable[[], float], caller_quota: int = 0) -> None:
        self._store = store
        self._quota = quota
        self._caller_quota = caller_quota
        self._clock = clock
        self._second = self._used_then = 0

    async def reserve(self, context: RequestContext) -> Reservation:
        """See `Budget.reserve`."""
        day = self._today()
        closed, pause = await self._store.get(_closed(day), _PAUSE)
        if (left := self._rest_of(pause)) > 0:
            raise PausedError(left)
        # One probe per hour, for all processes with the same quota, checks whether TikTok accepts requests again.
        if closed and not await self._store.add(self._probe(day)):
            raise self._exceeded("TikTok reported that the project's daily quota is used up", context)
        counters = [self._counter(day)]
        caller = CALLER.get()
        if self._caller_quota and caller is not None:
            key = f"caller:{day}:{hashlib.sha256(caller.encode()).hexdigest()[:16]}"
            counters.append(Counter(key, self._caller_quota, _end_of(day)))
        counts = await self._store.count(counters)
        self._used_then = counts.totals[0]
        if counts.granted:
            return Reservation(day, probe=closed is not None)
        if closed:  # the probe is not sent
            await self._store.put(delete=(self._probe(day).key,))
        if counts.totals[0] >= self._quota:
            raise self._exceeded(f"today's quota of {self._quota} (TIKTOK_DAILY_QUOTA) is used up", context)
        share = f"your share of {self._caller_quota} requests per day (MCP_CALLER_QUOTA) is used up"
        raise self._exceeded(share, context)

    async def pause(self, seconds: float) -> None:
        """See `Budget.pause`."""
        seconds = min(MAX_PAUSE, max(0.05, seconds))
        (pause,) = await self._store.get(_PAUSE)
        if seconds > self._rest_of(pause):
            await self._store.put(Entry(_PAUSE, str(self._clock() + seconds).encode(), seconds))

    async def refused(self, reservation: Reservation) -> None:
        """See `Budget.refused`: close the day. Until 00:00 UTC only probes are sent."""
        day = reservation.day
        await self._store.put(Entry(_closed(day), b"1", self._seconds_left(day)), self._probe(day))

    async def answered(self, reservation: Reservation) -> None:
        """See `Budget.answered`. Only a probe reopens a closed day: other requests may have been sent before."""
        if reservation.probe:
            await self._store.put(delete=(_closed(reservation.day),))

    async def status(self) -> QuotaStatus:
        """Return the status from the store, without a request to TikTok."""
        day = self._today()
        (closed,) = await self._store.get(_closed(day))
        return QuotaStatus(await self._used(day), self._quota, f"{day + _ONE_DAY}T00:00:00Z", closed is not None)

    async def note(self) -> str | None:
        """Return the note for answers once 80 % of the day's quota is used; None before."""
        if (second := int(self._clock())) != self._second:  # read the store at most once per second
            self._second, self._used_then = second, await self._used(self._today())
        used, quota = self._used_then, self._quota
        if used < _NOTE_FROM * quota:
            return None
        return f"Quota: {used} of {quota} requests used today; it resets at {reset_time(self._clock())}."

    async def _used(self, day: date) -> int:
        counts = await self._store.count([self._counter(day)], 0)
        return counts.totals[0]

    def _rest_of(self, pause: bytes | None) -> float:
        """Return the remaining seconds of a pause, 0 or less if it is over; 0 also after a wrong clock."""
        left = float(pause) - self._clock() if pause is not None else 0.0
        return min(left, MAX_PAUSE) if left < 2 * MAX_PAUSE else 0.0

    def _probe(self, day: date) -> Entry:
        # One key per quota: after a change of TIKTOK_DAILY_QUOTA the next request is a probe.
        return Entry(f"probe:{day}:{self._quota}", b"1", min(_PROBE_INTERVAL, self._seconds_left(day)))

    def _counter(self, day: date) -> Counter:
        return Counter(f"used:{day}", self._quota, _end_of(day))

    def _seconds_left(self, day: date) -> float:
        """Return the seconds until the day ends; at least one, in case the day has just ended."""
        return max(1.0, _end_of(day) - self._clock())

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def _exceeded(self, what: str, context: RequestContext) -> QuotaExceededError:
        next_step = f"Call again after the quota resets at {reset_time(self._clock())}."
        return QuotaExceededError(f"{what}{'.' if context.requests else '; nothing was sent.'}", next_step=next_step)


def _end_of(day: date) -> float:
    return datetime.combine(day + _ONE_DAY, time(), UTC).timestamp()


def _closed(day: date) -> str:
    return f"closed:{day}"
