"""The account `sandbox_changing`: every minute one video is unpinned, another is pinned, and all have more views.

It depends on the time only, so that all sandboxes answer the same at the same moment.
"""

from __future__ import annotations

from .videos import Counts, Tag, Video, compose

_MINUTE = 60
_BEGAN = 1_767_225_600  # 2026-01-01 00:00 UTC
_PINNED = 3
_CAPTIONS = (
    "Day 1: the seed, the pot, the patience #growing",
    "Day 9: something green, and everybody talks to it #growing",
    "Day 30: it has outgrown its first home #growing #repotting",
    "Day 61: the first flower, and the neighbours came #growing",
    "Day 90: what we would do differently #growing #lessons",
)


def changing_videos(now: float) -> tuple[Video, ...]:
    """Three of five videos as they are at `now`, in Unix seconds."""
    minute = max(0, int(now) - _BEGAN) // _MINUTE
    return tuple(_video((minute + place) % len(_CAPTIONS), minute) for place in range(_PINNED))


def _video(number: int, minute: int) -> Video:
    views = 250_000 * (number + 1) + 7 * (number + 2) * minute
    return compose(
        key=f"changing {number}",
        created=1_746_000_000 + number * 1_382_400,
        caption=_CAPTIONS[number],
        counts=Counts(
            views=views, likes=views // 11, comments=views // 400, shares=views // 150, favorites=views // 60
        ),
        duration=21 + 7 * number,
        region="NL",
        tags=(Tag("growing"),),
    )
