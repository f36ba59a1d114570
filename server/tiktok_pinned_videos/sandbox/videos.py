"""One video as TikTok sends it: a dict from TikTok's field names to JSON values.

A missing field is one that TikTok has no value for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

Video = dict[str, object]

# As the page lists them, and the three of the newer page. The page also writes favourites_count in one place; the API
# does not accept that spelling.
_COMPLETE_LIST = (
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "hashtag_names,is_stem_verified,favorites_count,video_duration,hashtag_info_list,video_mention_list,video_label,"
    "sticker_info_list,effect_info_list,video_tag"
)
FIELDS = frozenset(_COMPLETE_LIST.split(","))


@dataclass(frozen=True, slots=True)
class Tag:
    """A hashtag (without the #) and the description TikTok keeps of some of them."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """A video's statistics."""

    views: int
    likes: int
    comments: int
    shares: int
    favorites: int


@dataclass(frozen=True, slots=True)
class Label:
    """The values of `video_label`; most videos have the empty one."""

    type: int = 0
    content: str = ""
    vote: bool = False
    warn: bool = False
    sink: bool = False


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One entry of `video_tag`: AIGC 1 AI-generated, 2 labeled so by the creator; Branded 1 paid, 7 commission."""

    type: str
    number: int


def snowflake(seconds: int, name: str) -> int:
    """An int64 of 19 digits: the time in its upper half, something of `name` in the lower.

    Odd, so that no double holds it: a client that reads it as a float changes digits. `seconds` is a Unix time after
    1978-05-05 and before 2038-01-19.
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
    disclosures: Sequence[Disclosure] = (),
) -> Video:
    """A video with every field but the username, which is the requested one.

    `key` is different for every video, `created` is a Unix time in seconds, `duration` is in seconds.
    """
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
                # A hashtag has the same id in every account.
                "hashtag_id": snowflake(1_500_000_000, f"hashtag {tag.name}"),
                "hashtag_name": tag.name,
                "hashtag_description": tag.description,
            }
            for tag in tags
        ],
        "video_mention_list": list(mentions),
        "video_label": asdict(label or Label()),
        # TikTok's pages disagree about the format of these two: ids are numbers on one, strings on the other.
        "sticker_info_list": [
            {"sticker_id": snowflake(1_600_000_000, f"sticker {name}"), "sticker_name": name} for name in stickers
        ],
        "effect_info_list": [
            {"effect_id": str(snowflake(1_610_000_000, f"effect {name}")), "effect_name": name} for name in effects
        ],
        "video_tag": [{"video_tag_type": tag.type, "video_tag_number": tag.number} for tag in disclosures],
    }
