"""Where looks are kept: the first of each UTC day and the latest, each with a life of its own.

Every look is a key by itself, so that writing one reads nothing and replicas lose none. Reading is a list of keys, for
the leader of a request to read together with everything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tiktok_pinned_videos.research.names import in_key
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Delete, Read, Step, Write

from .looks import Changes, Look, changes_between, decode, encode

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of an account."""

    looks: tuple[Look, ...] = ()
    """In the order of time."""
    day: int | None = None
    """The UTC day, counted from 1970, whose first look is among them; None when today has none yet."""
    ahead: tuple[int | None, ...] = ()
    """The days (None: the latest) with a look of a clock that was ahead: it is to go before its hour comes."""

    def changes_to(self, look: Look) -> Changes | None:
        """What has changed up to this look; None when nothing is remembered, of the sandbox or of TikTok as it is."""
        comparable = [one for one in self.looks if one.seen_at <= look.seen_at and one.sandbox == look.sandbox]
        return changes_between([*comparable, look])


class History:
    """The looks of all accounts in a `StateStore`, for `days` days; with 0 there are none. Times are Unix seconds."""

    def __init__(self, store: StateStore, *, days: int) -> None:
        self._store = store
        self._days = days

    def keys(self, username: str, now: float) -> list[str]:
        """Where looks may be: a key a day, from as many days to come on which there must be none, and the latest's."""
        if not self._days:
            return []
        today, name = int(now // _DAY), in_key(username)
        days = [*range(today + 1, today + 1 + self._days), *range(today - self._days, today + 1)]
        return [*(_key(name, day) for day in days), _key(name, None)]

    def past(self, values: Sequence[bytes | None], now: float) -> Past:
        """What the values of `keys(…, now)` say. What a wrong clock wrote, or is kept for longer than here, is not."""
        *daily, latest = [decode(value) if value is not None else None for value in values] or [None]
        today, oldest = int(now // _DAY), now - self._days * _DAY
        ahead: list[int | None] = [look.seen_at // _DAY for look in daily if look and look.seen_at > now]
        known = [look for look in daily if look and oldest < look.seen_at <= now]
        known.sort(key=lambda look: look.seen_at)
        day = today if known and known[-1].seen_at // _DAY == today else None
        if latest and latest.seen_at > now:
            ahead.append(None)
        elif latest and latest.seen_at > (known[-1].seen_at if known else oldest):
            # Once the next day has been looked at, the latest of the day before has done its work.
            known.append(latest)
        return Past(tuple(known), day, tuple(ahead))

    def remembering(self, username: str, look: Look, past: Past) -> list[Step[bool]]:
        """How to keep a look that is newer than its past.

        Where that writes nothing, another process has looked for the first time today at the same moment: see `latest`.
        """
        day, name = look.seen_at // _DAY, in_key(username)
        wrong: list[Step[bool]] = [Delete(tuple(_key(name, one) for one in past.ahead))] if past.ahead else []
        if not self._days or past.day == day:
            return [*wrong, *self.latest(username, look)]
        key, ttl = _key(name, day), float(self._days * _DAY)
        return [*wrong, Write((key,), encode(look), ttl, only_if_absent=True)]

    def latest(self, username: str, look: Look) -> list[Step[bool]]:
        """How to keep a look that is not the first of its day."""
        return [Write((_key(in_key(username), None),), encode(look), float(self._days * _DAY))] if self._days else []

    async def looks(self, username: str, now: float) -> tuple[Look, ...]:
        """What is remembered, in the order of time."""
        keys = self.keys(username, now)
        return self.past(await self._store.do(Read(tuple(keys))), now).looks if keys else ()

    def left_of(self, changes: Changes | None, now: float) -> float:
        """Seconds for which changes may be kept: as long as the oldest look that they are about."""
        return max(1.0, changes.since + self._days * _DAY - now) if changes else math.inf


def _key(name: str, day: int | None) -> str:
    return f"look:{name}:{'latest' if day is None else day}"
