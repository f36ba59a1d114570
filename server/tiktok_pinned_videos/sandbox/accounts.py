"""Who is on this TikTok: every name, with one to three pinned videos that are always the same.

Knows how an account comes out of its name; knows no request, no token and none of the names that misbehave.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from .dice import Dice
from .hostile import hostile_videos
from .showcase import esa, nasa
from .themes import THEMES, Theme
from .videos import Counts, Video, compose

# Fixed dates, not the clock's: an answer must be the same tomorrow.
_FIRST = 1_672_570_800  # 2023-01-01 11:00 UTC
_LAST = 1_777_629_600  # 2026-05-01 10:00 UTC
_OLD = 1_704_067_200  # 2024-01-01: videos before it may lack what was counted later


def pinned_videos(name: str) -> tuple[Video, ...]:
    """The pinned videos of `name`, without the username field; callers must not change them.

    Names are compared without case. Costs some 100 µs the first time and next to nothing again.
    """
    match name.casefold():
        case "nasa":
            return nasa()
        case "esa":
            return esa()
        case "sandbox_hostile":
            return hostile_videos()
        case "sandbox_empty":
            return ()
        case folded:
            # The digest is the cache's key, so that long names do not stay in memory.
            return _invent(hashlib.sha256(folded.encode("utf-8")).digest())


@lru_cache(maxsize=4096)
def _invent(seed: bytes) -> tuple[Video, ...]:
    dice = Dice(seed)
    theme = dice.pick(THEMES)
    # Accounts differ by orders of magnitude, from a few thousand views to tens of millions.
    reach = dice.between(10, 99) * 10 ** dice.between(2, 5)
    region = dice.pick(theme.regions)
    captions = dice.some(theme.captions, dice.between(1, 3))
    return tuple(
        _video(dice, theme, key=f"{seed.hex()} {number}", caption=caption, reach=reach, region=region)
        for number, caption in enumerate(captions)
    )


def _video(dice: Dice, theme: Theme, *, key: str, caption: str, reach: int, region: str) -> Video:
    tags = dice.some(theme.tags, dice.between(0, 5))
    mentions = dice.some(theme.mentions, 1) if dice.chance(40) else []
    # People write some of their hashtags into the caption; the rest is only in the list.
    written = [*(f"@{mention.removeprefix('@')}" for mention in mentions), *(f"#{tag.name}" for tag in tags[:3])]
    video = compose(
        key=key,
        created=dice.between(_FIRST, _LAST),
        caption=" ".join([caption, *written]),
        counts=_counts(dice, reach),
        duration=dice.between(9, 95),
        region=region,
        tags=tags,
        mentions=mentions,
        stem=theme.stem and dice.chance(70),
        label=theme.label,
        stickers=theme.stickers if dice.chance(30) else (),
        effects=theme.effects if dice.chance(30) else (),
    )
    for field in _missing(dice, old=isinstance(time := video["create_time"], int) and time < _OLD):
        del video[field]
    return video


def _counts(dice: Dice, reach: int) -> Counts:
    views = reach * dice.between(300, 2_500) // 100 + dice.below(1_000)
    likes = views * dice.between(35, 160) // 1_000
    return Counts(
        views=views,
        likes=likes,
        comments=likes * dice.between(3, 25) // 1_000,
        shares=likes * dice.between(5, 60) // 1_000,
        favorites=likes * dice.between(40, 240) // 1_000,
    )


def _missing(dice: Dice, *, old: bool) -> list[str]:
    """The fields this video holds no value for."""
    # Every draw is made for every video, so that one more rule shifts as little as possible.
    draws = {
        "favorites_count": dice.chance(60) and old,
        "is_stem_verified": dice.chance(50) and old,
        "share_count": dice.chance(4),
        "region_code": dice.chance(8),
        "video_label": dice.chance(15),
        "video_tag": dice.chance(30),
    }
    return [field for field, missing in draws.items() if missing]
