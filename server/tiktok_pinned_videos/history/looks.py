"""What is remembered of an answer, ids and counts alone, and what has changed between such looks. Pure, no I/O.

Only what was seen counts. A look keeps an account's first hundred ids; whether a video beyond them was pinned is not
known, so it is neither new nor gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Final

from tiktok_pinned_videos.research.fields import COUNTS
from tiktok_pinned_videos.research.models import Video

_VERSION: Final = 1
_MOST_VIDEOS: Final = 100
_LONGEST_ID: Final = 40
"""Digits; TikTok's have 19. A longer one is not remembered, so that bytes per account have a bound."""
_SHORT_ID: Final = 1 << len(COUNTS)
"""The bit that says: the id is a number of 64 bits, as TikTok's are."""

Counts = tuple[int | None, ...]
"""In the order of `COUNTS`; None where it was not known."""


@dataclass(frozen=True, slots=True)
class Look:
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
    """One video that came or went between two looks, in Unix seconds."""

    id: str
    after: int
    by: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What the newest look has that the oldest had not, and the other way round."""

    since: int
    """When the oldest look was taken, in Unix seconds."""
    pinned: tuple[Change, ...]
    unpinned: tuple[Change, ...]
    growth: tuple[tuple[str, int], ...]
    """For each count, the sum of the differences over the videos pinned both times, as far as both are known."""

    def only(self, fields: Iterable[str]) -> Changes:
        """The same, with the growth of these fields alone."""
        return Changes(self.since, self.pinned, self.unpinned, tuple(pair for pair in self.growth if pair[0] in fields))


def look_at(videos: Sequence[Video], seen_at: float, *, sandbox: bool = False) -> Look:
    """What is remembered of an answer retrieved at `seen_at`."""
    kept = (video for video in videos if len(video.id) <= _LONGEST_ID)
    seen = {video.id: tuple(getattr(video, name) for name in COUNTS) for video in islice(kept, _MOST_VIDEOS)}
    return Look(int(seen_at), seen, whole=len(seen) == len({video.id for video in videos}), sandbox=sandbox)


def changes_between(looks: Sequence[Look]) -> Changes | None:
    """Net, from the oldest to the newest of `looks`, which are in the order of time; None where there is no past."""
    if len(looks) < 2:
        return None
    oldest, newest = looks[0], looks[-1]
    return Changes(
        since=oldest.seen_at,
        pinned=tuple(_turn(id_, looks, pinned=True) for id_ in newest.videos if oldest.lacks(id_)),
        unpinned=tuple(_turn(id_, looks, pinned=False) for id_ in oldest.videos if newest.lacks(id_)),
        growth=tuple(_growth(oldest, newest)),
    )


def _turn(video_id: str, looks: Sequence[Look], *, pinned: bool) -> Change:
    """The last time it turned: the latest look that shows the contrary, and the next that shows how it is now."""

    def shows(look: Look, pinned: bool) -> bool:
        return video_id in look.videos if pinned else look.lacks(video_id)

    contrary = max(place for place, look in enumerate(looks) if shows(look, not pinned))
    turned = next(look for look in looks[contrary + 1 :] if shows(look, pinned))
    return Change(video_id, looks[contrary].seen_at, turned.seen_at)


def _growth(oldest: Look, newest: Look) -> Iterable[tuple[str, int]]:
    both = [(counts, newest.videos[id_]) for id_, counts in oldest.videos.items() if id_ in newest.videos]
    for place, name in enumerate(COUNTS):
        differences = [
            after - before
            for one, other in both
            if (before := one[place]) is not None and (after := other[place]) is not None
        ]
        if differences:
            yield name, sum(differences)


def encode(look: Look) -> bytes:
    """Some 80 bytes for three videos: version, flags, time, then per video its known counts, id and these counts."""
    out = bytearray([_VERSION, look.whole | look.sandbox << 1])
    _write(out, look.seen_at)
    for video_id, counts in look.videos.items():
        short = str(int(video_id)) == video_id and int(video_id) < 1 << 64
        known = sum(1 << place for place, count in enumerate(counts) if count is not None)
        out.append(known | (_SHORT_ID if short else 0))
        digits = video_id.encode("ascii")
        out += int(video_id).to_bytes(8, "big") if short else bytes([len(digits)]) + digits
        for count in counts:
            if count is not None:
                _write(out, count)
    return bytes(out)


def decode(value: bytes) -> Look | None:
    """What `encode` made; None for anything else."""
    data = BytesIO(value)
    try:
        version, flags = _take(data, 2)
        seen_at, videos = _read(data), dict[str, Counts]()
        while data.tell() < len(value):
            (known,) = _take(data, 1)
            if known & _SHORT_ID:
                video_id = str(int.from_bytes(_take(data, 8), "big"))
            else:
                video_id = _take(data, _take(data, 1)[0]).decode("ascii")
            videos[video_id] = tuple(_read(data) if known >> place & 1 else None for place in range(len(COUNTS)))
    except ValueError:
        return None
    return Look(seen_at, videos, whole=bool(flags & 1), sandbox=bool(flags & 2)) if version == _VERSION else None


def _take(data: BytesIO, size: int) -> bytes:
    taken = data.read(size)
    if len(taken) < size:
        raise ValueError("the value ends too early")
    return taken


def _write(out: bytearray, number: int) -> None:
    """Seven bits a byte, lowest first; the sign in the lowest bit of all."""
    left = number << 1 if number >= 0 else ~(number << 1)
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)


def _read(data: BytesIO) -> int:
    number = shift = 0
    while True:
        (byte,) = _take(data, 1)
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number >> 1 if not number & 1 else ~(number >> 1)
