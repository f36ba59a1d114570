"""One video as TikTok would hand it out. Knows the documented fields and their types; invents nothing by itself.

A video is a dict from TikTok's field names to JSON values. A field that is missing is one TikTok holds no value for:
the wire leaves such fields out rather than sending null.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

Video = dict[str, object]

FIELDS = (
    "id",
    "create_time",
    "username",
    "region_code",
    "video_description",
    "music_id",
    "like_count",
    "comment_count",
    "share_count",
    "view_count",
    "hashtag_names",
    "is_stem_verified",
    # The page also writes favourites_count in one place; the live API does not know that spelling.
    "favorites_count",
    "video_duration",
    "hashtag_info_list",
    "video_mention_list",
    "video_label",
    "sticker_info_list",
    "effect_info_list",
    "video_tag",
)


@dataclass(frozen=True, slots=True)
class Tag:
    """A hashtag (without the #) and the description TikTok keeps of some of them."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a video was seen and what its viewers did."""

    views: int
    likes: int
    comments: int
    shares: int
    favorites: int


@dataclass(frozen=True, slots=True)
class Label:
    """What `video_label` says; most videos carry the plain one."""

    content: str = ""
    type: int = 0
    vote: bool = False
    warn: bool = False
    sink: bool = False


def snowflake(seconds: int, name: str) -> int:
    """An int64 of 19 digits: the time in its upper half, something of `name` in the lower.

    Odd, so that no double holds it: whoever sends it through a float sees the digits change. `seconds` is a Unix
    time after 1978-05-05 and before 2038-01-19.
    """
    low = int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:4], "big")
    return seconds << 32 | low | 1


def compose(
    *,
    key: str,
    created: int,
    caption: str,
    counts: Counts,
    duration: int,
    region: str,
    tags: Sequence[Tag] = (),
    mentions: Sequence[str] = (),
    stem: bool = False,
    label: Label | None = None,
    stickers: Sequence[str] = (),
    effects: Sequence[str] = (),
) -> Video:
    """A video with every field but the username, which is whatever the caller asked for.

    `key` tells this video from all others, `created` is a Unix time in seconds, `duration` is in seconds.
    """
    label = label or Label()
    return {
        "id": snowflake(created, f"video {key}"),
        "create_time": created,
        "region_code": region,
        "video_description": caption,
        # Music is older than the video that uses it.
        "music_id": snowflake(created - 40 * 86_400, f"music {key}"),
        "like_count": counts.likes,
        "comment_count": counts.comments,
        "share_count": counts.shares,
        "view_count": counts.views,
        "favorites_count": counts.favorites,
        "hashtag_names": [tag.name for tag in tags],
        "is_stem_verified": stem,
        "video_duration": duration,
        "hashtag_info_list": [
            {
                # One hashtag has one id, whoever uses it.
                "hashtag_id": snowflake(1_500_000_000, f"hashtag {tag.name}"),
                "hashtag_name": tag.name,
                "hashtag_description": tag.description,
            }
            for tag in tags
        ],
        "video_mention_list": list(mentions),
        "video_label": {
            "type": label.type,
            "content": label.content,
            "vote": label.vote,
            "warn": label.warn,
            "sink": label.sink,
        },
        # The pages disagree about the shapes of the last three: an id is a number here and a string there.
        "sticker_info_list": [
            {"sticker_id": snowflake(1_600_000_000, f"sticker {name}"), "sticker_name": name} for name in stickers
        ],
        "effect_info_list": [
            {"effect_id": str(snowflake(1_610_000_000, f"effect {name}")), "effect_name": name} for name in effects
        ],
        "video_tag": {"number": 1, "type": "Science" if stem else "Lifestyle"},
    }
