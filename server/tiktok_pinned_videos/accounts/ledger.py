"""The day's requests: counted before they are sent, for everybody who shares the store.

TikTok counts per project and day and starts anew at 00:00 UTC. There is no endpoint that tells what is left, so this
ledger is all one can know: every research request is reserved here first, retries too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tiktok_pinned_videos.research.errors import QuotaExceededError
from tiktok_pinned_videos.state.base import StateStore

_DAY: Final = 86_400
_PROBE_INTERVAL: Final = 3600.0
_LOOK_AGAIN: Final = 5.0
_NOTE_FROM: Final = 0.8
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


class Ledger:
    """Implements `research.transport.Budget` on a `StateStore`."""

    def __init__(self, store: StateStore, *, namespace: str, quota: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._namespace = namespace
        self._quota = quota
        self._clock = clock
        self._today = (-1, "")  # days since 1970, and the name of that day
        self._seen = (0.0, "", 0)  # when looked at, day, requests used
        self._closing = False
        self._probed_day = ""

    async def reserve(self) -> None:
        """Take one request. Raises `QuotaExceededError` when the day is closed or our own count is reached."""
        day, left = self._day()
        closed = await self._store.get(self._key("closed", day))
        if self._closing:  # known already, though the store is still being told
            raise QuotaExceededError(_SPENT)
        if closed is not None and self._closed_at_this_quota(closed):
            # Somebody has to find out whether TikTok reopened: one probe an hour for everybody together.
            if not await self._store.add(self._key("probe", day), b"1", ttl=min(_PROBE_INTERVAL, left)):
                raise QuotaExceededError(_SPENT)
            self._probed_day = day
        used = await self._store.increment(self._key("used", day), ttl=left + _PROBE_INTERVAL, ceiling=self._quota)
        if used is None:
            self._seen = (self._clock(), day, self._quota)
            raise QuotaExceededError(
                f"the {self._quota} requests of today (TIKTOK_DAILY_QUOTA) are spent; nothing was sent."
            )
        self._seen = (self._clock(), day, used)

    async def close(self) -> None:
        """TikTok said `daily_quota_limit_exceeded`: send nothing more today but the probes."""
        day, left = self._day()
        value = json.dumps({"quota": self._quota}).encode()
        self._probed_day, self._closing = "", True
        try:
            await self._store.set(self._key("closed", day), value, ttl=left)
            await self._store.set(self._key("probe", day), b"1", ttl=min(_PROBE_INTERVAL, left))
        finally:
            self._closing = False

    async def confirm(self) -> None:
        """TikTok answered: a day that had been closed is open again, if it was a probe that was answered.

        What was on its way when the day closed may be answered after the refusal, and proves nothing.
        """
        day, _ = self._day()
        if self._probed_day == day:
            self._probed_day = ""
            await self._store.delete(self._key("closed", day))

    async def status(self) -> QuotaStatus:
        """Read the store; never sends anything."""
        day, left = self._day()
        used = await self._used(day, fresh=True)
        closed = await self._store.get(self._key("closed", day))
        resets_at = datetime.fromtimestamp(round(self._clock() + left), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return QuotaStatus(used, self._quota, resets_at, closed is not None and self._closed_at_this_quota(closed))

    def seen_today(self) -> int:
        """Requests used today as this process last saw it, 0 before it looked; reads no store, from any thread."""
        _, seen_day, used = self._seen
        return used if seen_day == self._day()[0] else 0

    async def note(self) -> str | None:
        """What an answer should say once 80 % of the day are spent."""
        day, _ = self._day()
        used = await self._used(day)
        if used < _NOTE_FROM * self._quota:
            return None
        return f"Quota: {used} of {self._quota} requests used today; it resets at 00:00 UTC."

    async def _used(self, day: str, *, fresh: bool = False) -> int:
        looked_at, seen_day, used = self._seen
        if fresh or seen_day != day or not 0 <= self._clock() - looked_at < _LOOK_AGAIN:
            value = await self._store.get(self._key("used", day))
            used = int(value) if value is not None and value.isdigit() else 0
            self._seen = (self._clock(), day, used)
        return used

    def _closed_at_this_quota(self, value: bytes) -> bool:
        try:
            record: Any = json.loads(value)
            return record["quota"] == self._quota
        except (ValueError, TypeError, KeyError):
            return False

    def _day(self) -> tuple[str, float]:
        """The UTC day and the seconds left of it."""
        now = self._clock()
        number = int(now // _DAY)
        if number != self._today[0]:  # every answer asks; the name is made once a day
            self._today = (number, datetime.fromtimestamp(number * _DAY, UTC).strftime("%Y-%m-%d"))
        return self._today[1], max(1.0, (number + 1) * _DAY - now)

    def _key(self, kind: str, day: str) -> str:
        return f"{self._namespace}:{kind}:{day}"
