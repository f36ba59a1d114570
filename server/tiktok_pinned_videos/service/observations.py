"""What is remembered of an answer, ids and counts alone, and what has changed between such observations. Pure, no I/O.

An observation keeps an account's first hundred ids; whether a video beyond them was pinned is not
known, so it is neither new nor gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from tiktok_pinned_videos.research.fields import COUNTS
from tiktok_pinned_videos.research.models import Video

_VERSION: Final = 2
_MAX_VIDEOS: Final = 100
_LONGEST_ID: Final = 40
"""Digits; TikTok's have 19. A longer one is not remembered, so that bytes per account have a bound."""

Counts = tuple[int | None, ...]
"""In the order of `COUNTS`; None where it was not known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Which videos were pinned at one moment."""

    seen_at: int
    """Unix seconds."""
    videos: Mapping[str, Counts]
    """By id, in TikTok's order."""
    whole: bool = True
    """Whether a video that is not in it was certainly not pinned."""
    sandbox: bool = False

    def lacks(self, video_id: str) -> bool:
        """Whether it was certainly not pinned."""
        return self.whole and video_id not in self.videos


@dataclass(frozen=True, slots=True)
class Change:
    """One video that came or went between two observations, in Unix seconds."""

    id: str
    after: int
    by: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What the newest observation has that the oldest had not, and the other way round."""

    since: int
    """When the oldest observation was taken, in Unix seconds."""
    pinned: tuple[Change, ...]
    unpinned: tuple[Change, ...]
    growth: tuple[tuple[str, int], ...]
    """For each count, the sum of the differences over the videos pinned both times, as far as both are known."""

    def only(self, fields: Iterable[str]) -> Changes:
        """The same, with the growth of these fields alone."""
        return Changes(self.since, self.pinned, self.unpinned, tuple(pair for pair in self.growth if pair[0] in fields))


def observe(videos: Sequence[Video], seen_at: float, *, sandbox: bool = False) -> Observation:
    """What is remembered of an answer retrieved at `seen_at`."""
    kept = (video for video in videos if len(video.id) <= _LONGEST_ID)
    seen = {video.id: tuple(getattr(video, name) for name in COUNTS) for video in islice(kept, _MAX_VIDEOS)}
    return Observation(int(seen_at), seen, whole=len(seen) == len({video.id for video in videos}), sandbox=sandbox)


def changes_between(observations: Sequence[Observation]) -> Changes | None:
    """Return the net change from the oldest to the newest observation, given in time order; None for fewer than two."""
    if len(observations) < 2:
        return None
    oldest, newest = observations[0], observations[-1]
    return Changes(
        since=oldest.seen_at,
        pinned=tuple(_turn(id_, observations, pinned=True) for id_ in newest.videos if oldest.lacks(id_)),
        unpinned=tuple(_turn(id_, observations, pinned=False) for id_ in oldest.videos if newest.lacks(id_)),
        growth=tuple(_growth(oldest, newest)),
    )


def _turn(video_id: str, observations: Sequence[Observation], *, pinned: bool) -> Change:
    """Return the last change: the latest observation that shows the contrary, and the next that shows it as now."""

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


def encode(observation: Observation) -> bytes:
    """JSON: a list of time, whether it is whole, whether of the sandbox, and the counts by id."""
    return json.dumps(
        [_VERSION, observation.seen_at, observation.whole, observation.sandbox, observation.videos],
        separators=(",", ":"),
    ).encode()


def decode(value: bytes) -> Observation | None:
    """What `encode` made; None for anything else."""
    try:
        version, seen_at, whole, sandbox, videos = json.loads(value)
        counts = {str(video_id): tuple(known) for video_id, known in videos.items()}
    except (ValueError, TypeError, AttributeError):
        return None
    return Observation(int(seen_at), counts, whole=bool(whole), sandbox=bool(sandbox)) if version == _VERSION else None
