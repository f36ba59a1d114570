"""Where observations are kept: the first of each UTC day and the latest, each with a life of its own.

Every observation is a key by itself, so that writing one reads nothing. Reading is a list of keys, for
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

from .observations import Changes, Observation, changes_between, decode, encode

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """What is remembered of an account."""

    observations: tuple[Observation, ...] = ()
    """In the order of time."""
    day: int | None = None
    """The UTC day, counted from 1970, whose first observation is among them; None when today has none yet."""
    ahead: tuple[int | None, ...] = ()
    """The days (None: the latest) with a observation of a clock that was ahead: it is to go before its hour comes."""

    def changes_to(self, observation: Observation) -> Changes | None:
        """What has changed up to this observation; None without earlier observations of the same source."""
        comparable = [
            one
            for one in self.observations
            if one.seen_at <= observation.seen_at and one.sandbox == observation.sandbox
        ]
        return changes_between([*comparable, observation])


class History:
    """The observations of all accounts in a `StateStore`, for `days` days (0: none). Times are Unix seconds."""

    def __init__(self, store: StateStore, *, days: int) -> None:
        self._store = store
        self._days = days

    def keys(self, username: str, now: float) -> list[str]:
        """Keys of the observations: one per day, past and future, and the latest."""
        if not self._days:
            return []
        today, name = int(now // _DAY), in_key(username)
        days = [*range(today + 1, today + 1 + self._days), *range(today - self._days, today + 1)]
        return [*(_key(name, day) for day in days), _key(name, None)]

    def past(self, values: Sequence[bytes | None], now: float) -> AccountHistory:
        """What the values of `keys(…, now)` say. What a wrong clock wrote, or is kept for longer than here, is not."""
        *daily, latest = [decode(value) if value is not None else None for value in values] or [None]
        today, oldest = int(now // _DAY), now - self._days * _DAY
        ahead: list[int | None] = [
            observation.seen_at // _DAY for observation in daily if observation and observation.seen_at > now
        ]
        known = [observation for observation in daily if observation and oldest < observation.seen_at <= now]
        known.sort(key=lambda observation: observation.seen_at)
        day = today if known and known[-1].seen_at // _DAY == today else None
        if latest and latest.seen_at > now:
            ahead.append(None)
        elif latest and latest.seen_at > (known[-1].seen_at if known else oldest):
            # Once the next day has been looked at, the latest of the day before has done its work.
            known.append(latest)
        return AccountHistory(tuple(known), day, tuple(ahead))

    def remembering(self, username: str, observation: Observation, past: AccountHistory) -> list[Step[bool]]:
        """How to keep a observation that is newer than its past.

        Where that writes nothing, another process has looked for the first time today at the same moment: see `latest`.
        """
        day, name = observation.seen_at // _DAY, in_key(username)
        wrong: list[Step[bool]] = [Delete(tuple(_key(name, one) for one in past.ahead))] if past.ahead else []
        if not self._days or past.day == day:
            return [*wrong, *self.latest(username, observation)]
        key, ttl = _key(name, day), float(self._days * _DAY)
        return [*wrong, Write((key,), encode(observation), ttl, only_if_absent=True)]

    def latest(self, username: str, observation: Observation) -> list[Step[bool]]:
        """How to keep a observation that is not the first of its day."""
        return (
            [Write((_key(in_key(username), None),), encode(observation), float(self._days * _DAY))]
            if self._days
            else []
        )

    async def observations(self, username: str, now: float) -> tuple[Observation, ...]:
        """What is remembered, in the order of time."""
        keys = self.keys(username, now)
        return self.past(await self._store.do(Read(tuple(keys))), now).observations if keys else ()

    def left_of(self, changes: Changes | None, now: float) -> float:
        """Seconds for which changes may be kept: as long as the oldest observation that they are about."""
        return max(1.0, changes.since + self._days * _DAY - now) if changes else math.inf


def _key(name: str, day: int | None) -> str:
    return f"observation:{name}:{'latest' if day is None else day}"
