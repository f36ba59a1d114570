"""The accounts of the sandbox: every name has one to three pinned videos, always the same."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from random import Random

from .hostile import hostile_videos
from .showcase import esa, nasa
from .themes import THEMES, Theme
from .videos import Counts, Video, compose

# Fixed dates instead of the clock: an answer must be the same tomorrow.
_FIRST = 1_672_570_800  # 2023-01-01 11:00 UTC
_LAST = 1_777_629_600  # 2026-05-01 10:00 UTC
_OLD = 1_704_067_200  # 2024-01-01: videos before it may lack what was counted later


def pinned_videos(name: str) -> tuple[Video, ...]:
    """Return the pinned videos of `name`, in any case, without the username field; callers must not change them."""
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
            return _invent(hashlib.sha256(folded.encode("utf-8")).hexdigest())


@lru_cache(maxsize=4096)
def _invent(seed: str) -> tuple[Video, ...]:
    chance = Random(seed)  # noqa: S311 - invented accounts, not secrets
    theme = chance.choice(THEMES)
    # Accounts differ by orders of magnitude, from a few thousand views to tens of millions.
    reach = chance.randint(10, 99) * 10 ** chance.randint(2, 5)
    region = chance.choice(theme.regions)
    captions = chance.sample(theme.captions, chance.randint(1, 3))
    return tuple(
        _video(chance, theme, key=f"{seed} {number}", caption=caption, reach=reach, region=region)
        for number, caption in enumerate(captions)
    )


def _video(chance: Random, theme: Theme, *, key: str, caption: str, reach: int, region: str) -> Video:
    tags = chance.sample(theme.tags, chance.randint(0, 5))
    mentions = chance.sample(theme.mentions, 1) if chance.random() < 0.4 else []
    # People write some of their hashtags into the caption; the others are only in the list.
    written = [*(f"@{mention.removeprefix('@')}" for mention in mentions), *(f"#{tag.name}" for tag in tags[:3])]
    created = chance.randint(_FIRST, _LAST)
    video = compose(
        key=key,
        created=created,
        caption=" ".join([caption, *written]),
        counts=_counts(chance, reach),
        duration=chance.randint(9, 95),
        region=region,
        tags=tags,
        mentions=mentions,
        stem=theme.stem and chance.random() < 0.7,
        label=theme.label,
        stickers=theme.stickers if chance.random() < 0.3 else (),
        effects=theme.effects if chance.random() < 0.3 else (),
        disclosures=[chance.choice(theme.disclosures)] if chance.random() < 0.3 else (),
    )
    # Some values are missing, as at TikTok.
    old = created < _OLD
    missing = {
        "favorites_count": 0.6 if old else 0.0,
        "is_stem_verified": 0.5 if old else 0.0,
        "share_count": 0.04,
        "region_code": 0.08,
        "video_label": 0.15,
        "video_tag": 0.3,
    }
    gone = {field for field, probability in missing.items() if chance.random() < probability}
    return {field: value for field, value in video.items() if field not in gone}


def _counts(chance: Random, reach: int) -> Counts:
    views = reach * chance.randint(300, 2_500) // 100 + chance.randrange(1_000)
    likes = views * chance.randint(35, 160) // 1_000
    return Counts(
        views=views,
        likes=likes,
        comments=likes * chance.randint(3, 25) // 1_000,
        shares=likes * chance.randint(5, 60) // 1_000,
        favorites=likes * chance.randint(40, 240) // 1_000,
    )
