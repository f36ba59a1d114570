"""Observations: ids and counts of earlier answers, and what changed between them.

An account has one observation for each UTC day, the first of that day, and the latest. Each is a value with an expiry
of its own. An observation has the first hundred ids of an account. Videos beyond these count neither as pinned nor as
unpinned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from pydantic import TypeAdapter, ValidationError

from tiktok_pinned_videos.research.fields import COUNTS
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.names import in_key
from tiktok_pinned_videos.state.base import Entry

_DAY: Final = 86_400
_MAX_DAYS: Final = 15
_MAX_VIDEOS: Final = 100
_MAX_ID: Final = 40
"""Digits; TikTok's ids have 19. Longer ones are left out, so that an observation has a bounded size."""

Counts = tuple[int | None, ...]
"""In the order of `COUNTS`; None where the count is not known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Which videos were pinned at one moment (Unix seconds), in TikTok's order.

    `whole`: it has all pinned videos, so that any other video was not pinned.
    """

    seen_at: int
    videos: Mapping[str, Counts]
    whole: bool = True
    sandbox: bool = False

    def lacks(self, video_id: str) -> bool:
        """Return whether the video was certainly not pinned."""
        return self.whole and video_id not in self.videos


_JSON: Final = TypeAdapter(Observation)


@dataclass(frozen=True, slots=True)
class Change:
    """A video that was pinned or unpinned between two observations, in Unix seconds."""

    id: str
    after: int
    by: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The net difference between the oldest observation, made at `since` (Unix seconds), and the newest.

    `growth` has, for each count, the sum of the differences over the videos pinned both times, if both are known.
    """

    since: int
    pinned: tuple[Change, ...]
    unpinned: tuple[Change, ...]
    growth: tuple[tuple[str, int], ...]

    def only(self, fields: Iterable[str]) -> Changes:
        """Return the same with the growth of these fields only."""
        return replace(self, growth=tuple(pair for pair in self.growth if pair[0] in fields))


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """The observations of an account: the first of each day and the latest, oldest first.

    `outdated`: keys of observations that are too old or in the future, to be deleted with the next write.
    """

    observations: tuple[Observation, ...] = ()
    outdated: tuple[str, ...] = ()

    def changes_to(self, newest: Observation) -> Changes | None:
        """Return the changes up to this observation; None without an earlier one of the same source."""
        earlier = [one for one in self.observations if one.seen_at <= newest.seen_at and one.sandbox == newest.sandbox]
        return changes_between([*earlier, newest])


class History:
    """The rules of the history: observations are kept for `days` days (0: none). No I/O."""

    def __init__(self, *, days: int) -> None:
        self._days = days

    def read(self, username: str, values: Sequence[bytes | None], now: float) -> AccountHistory:
        """Decode the history from the values of `observation_keys`."""
        found: list[Observation] = []
        outdated: list[str] = []
        for key, value in zip(observation_keys(username, now), values, strict=True):
            if value is None:
                continue
            try:
                observation = _JSON.validate_json(value)
            except ValidationError:  # another version wrote it in another format
                continue
            if not now - self._days * _DAY < observation.seen_at <= now:
                outdated.append(key)
            elif not found or (found[-1] != observation and found[-1].seen_at <= observation.seen_at):
                found.append(observation)
        return AccountHistory(tuple(found), tuple(outdated))

    def entries(self, username: str, new: Observation, history: AccountHistory) -> list[Entry]:
        """The entries for a new observation."""
        if not self._days:
            return []
        day, ttl, value = new.seen_at // _DAY, float(self._days * _DAY), _JSON.dump_json(new)
        latest = Entry(_key(username, None), value, ttl)
        if any(one.seen_at // _DAY == day for one in history.observations):
            return [latest]
        return [Entry(_key(username, day), value, ttl), latest]

    def current(self, changes: Changes | None, now: float) -> Changes | None:
        """Return the changes stored with an answer; None if they go back further than `days`."""
        return changes if changes is not None and self.life_of(changes, now) > 0 else None

    def life_of(self, changes: Changes | None, now: float) -> float:
        """Return for how many seconds changes may be stored: as long as the oldest observation in them."""
        return changes.since + self._days * _DAY - now if changes is not None else math.inf


def observation_keys(username: str, now: float) -> list[str]:
    """Return the keys of all observations that an account can have, independent of the settings."""
    today = int(now // _DAY)
    return [*(_key(username, day) for day in range(today - _MAX_DAYS, today + _MAX_DAYS + 1)), _key(username, None)]


def _key(username: str, day: int | None) -> str:
    return f"observation:{in_key(username)}:{'latest' if day is None else day}"


def observe(snapshot: Snapshot) -> Observation:
    """Make the observation of an answer."""
    kept = (video for video in snapshot.videos if len(video.id) <= _MAX_ID)
    seen = {video.id: tuple(getattr(video, name) for name in COUNTS) for video in islice(kept, _MAX_VIDEOS)}
    whole = len(seen) == len({video.id for video in snapshot.videos})
    return Observation(int(snapshot.retrieved_at), seen, whole=whole, sandbox=snapshot.sandbox)


def changes_between(observations: Sequence[Observation]) -> Changes | None:
    """Return the net change from the oldest to the newest observation, given in time order; None for fewer than two."""
    if len(observations) < 2:
        return None
    oldest, newest = observations[0], observations[-1]
    return Changes(
        since=oldest.seen_at,
        pinned=tuple(_last_change(id_, observations, pinned=True) for id_ in newest.videos if oldest.lacks(id_)),
        unpinned=tuple(_last_change(id_, observations, pinned=False) for id_ in oldest.videos if newest.lacks(id_)),
        growth=tuple(_growth(oldest, newest)),
    )


def _last_change(video_id: str, observations: Sequence[Observation], *, pinned: bool) -> Change:
    """Return the last change of a video: the latest observation without its present state, and the first with it."""

    def shows(observation: Observation, pinned: bool) -> bool:
        return video_id in observation.videos if pinned else observation.lacks(video_id)

    contrary = max(place for place, observation in enumerate(observations) if shows(observation, not pinned))
    turned = next(observation for observation in observations[contrary + 1 :] if shows(observation, pinned))
    return Change(video_id, observations[contrary].seen_at, turned.seen_at)


def _growth(oldest: Observation, newest: Observation) -> Iterable[tuple[str, int]]:
    both = [(counts, newest.videos[id_]) for id_, counts in oldest.videos.items() if id_ in newest.videos]
    for place, name in enumerate(COUNTS):
        differences = [
            after - before
            for one, other in both
            if (before := one[place]) is not None and (after := other[place]) is not None
        ]
        if differences:
            yield name, sum(differences)
