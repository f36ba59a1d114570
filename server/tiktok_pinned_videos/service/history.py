"""Observations: ids and counts of earlier answers, and what changed between them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tiktok_pinned_videos.research.fields import COUNTS
from tiktok_pinned_videos.research.models import Snapshot

Counts = tuple[int | None, ...]
"""In the order of `COUNTS`; None where the count is not known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Which videos were pinned at one moment (Unix seconds), in TikTok's order."""

    seen_at: int
    videos: Mapping[str, Counts]
    sandbox: bool = False

    @classmethod
    def of(cls, snapshot: Snapshot) -> Observation:
        """Make the observation of an answer."""
        videos = {video["id"]: tuple(video.get(name) for name in COUNTS) for video in snapshot.videos}
        return cls(int(snapshot.retrieved_at), videos, snapshot.sandbox)


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


def changes_between(before: Sequence[Observation], newest: Observation) -> Changes | None:
    """Return the net change from the oldest observation to the newest; None without an earlier one of its source."""
    earlier = [one for one in before if one.seen_at <= newest.seen_at and one.sandbox == newest.sandbox]
    if not earlier:
        return None
    oldest, observations = earlier[0], [*earlier, newest]
    return Changes(
        since=oldest.seen_at,
        pinned=tuple(_last_change(id_, observations) for id_ in newest.videos if id_ not in oldest.videos),
        unpinned=tuple(_last_change(id_, observations) for id_ in oldest.videos if id_ not in newest.videos),
        growth=tuple(_growth(oldest, newest)),
    )


def _last_change(video_id: str, observations: Sequence[Observation]) -> Change:
    """Return between which two observations a video was last pinned or unpinned."""
    shown = [video_id in observation.videos for observation in observations]
    last = max(place for place, shows in enumerate(shown) if shows != shown[-1])
    return Change(video_id, observations[last].seen_at, observations[last + 1].seen_at)


def _growth(oldest: Observation, newest: Observation) -> Iterable[tuple[str, int]]:
    both = [(counts, newest.videos[id_]) for id_, counts in oldest.videos.items() if id_ in newest.videos]
    for place, name in enumerate(COUNTS):
        counts = [(one[place], other[place]) for one, other in both]
        differences = [after - before for before, after in counts if before is not None and after is not None]
        if differences:
            yield name, sum(differences)
