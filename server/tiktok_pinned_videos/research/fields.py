"""The documented `fields` parameter: its names, types and meanings, and the forms that callers may send."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from .errors import InvalidArgumentError

Kind = Literal["id", "int", "str", "bool", "list[str]", "hashtags", "label", "any"]


@dataclass(frozen=True, slots=True)
class Field:
    """One documented field of TikTok's Video object."""

    name: str
    kind: Kind
    documented_type: str
    meaning: str
    default: int = 0
    """Position, from 1, among the fields that are requested when the caller names none; 0 for the other fields."""


FIELDS: Final = (
    Field("id", "id", "int64", "Unique id of the video, as a string of digits so that no digit is lost.", 1),
    Field("create_time", "int", "int64", "When the video was posted: UTC, ISO 8601 (TikTok sends Unix seconds).", 2),
    Field("username", "str", "string", "Username of the video's creator."),
    Field(
        "region_code", "str", "string",
        "Two-letter code of the country in which the creator registered the account; not where the video was made.",
    ),
    Field("video_description", "str", "string", "Caption of the video, with the hashtags written in it.", 3),
    Field("music_id", "id", "int64", "Id of the music used, as a string of digits."),
    Field("like_count", "int", "int64", "Likes so far.", 6),
    Field("comment_count", "int", "int64", "Comments so far.", 7),
    Field("share_count", "int", "int64", "Shares so far.", 8),
    Field("view_count", "int", "int64", "Views so far.", 5),
    Field("favorites_count", "int", "int64", "Users who saved the video to their favorites.", 9),
    Field("hashtag_names", "list[str]", "list<string>", "Hashtags of the video, without #.", 10),
    Field("hashtag_info_list", "hashtags", "struct", "Hashtags with hashtag_id, hashtag_name, hashtag_description."),
    Field("video_mention_list", "list[str]", "list<string>", "Usernames mentioned in the video, with or without @."),
    Field(
        "video_label", "label", "struct",
        "TikTok's notice on the video: content is its text, often empty; type, vote, warn and sink are passed on as "
        "sent, since TikTok does not document what they mean.",
    ),
    Field("video_duration", "int", "int64", "Length of the video in seconds.", 4),
    Field("is_stem_verified", "bool", "bool", "Whether TikTok verified the video as high-quality STEM content."),
    Field("sticker_info_list", "any", "struct (newer)", "Stickers on the video, as TikTok sends them."),
    Field("effect_info_list", "any", "struct (newer)", "Effects used in the video, as TikTok sends them."),
    Field(
        "video_tag", "any", "struct (newer)",
        "TikTok's disclosure tags, as sent: objects with video_tag_type and video_tag_number (another page of TikTok: "
        "type and number). AIGC 2: the creator labeled it AI-generated; AIGC 1: AI-generated (the other page swaps 1 "
        "and 2). Branded 1: paid partnership; Branded 7: earns a commission. A missing tag proves nothing.",
    ),
)  # fmt: skip

BY_NAME: Final = {field.name: field for field in FIELDS}
NAMES: Final = tuple(BY_NAME)
DEFAULT: Final = tuple(field.name for field in sorted(FIELDS, key=lambda field: field.default) if field.default)
COUNTS: Final = ("view_count", "like_count", "comment_count", "share_count", "favorites_count")
"""The counts that are added up over an account's videos."""
ENGAGEMENT_OF: Final = ("like_count", "comment_count", "share_count")
"""The counts whose sum, divided by the views, is the engagement rate."""
Measure = Literal["view_count", "like_count", "comment_count", "share_count", "favorites_count", "engagement_rate"]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
"""The measures by which accounts can be ranked; the first is the default."""
ALIASES: Final = {"favourites_count": "favorites_count"}  # TikTok's page has both; the API accepts the latter


def parse_fields(value: object) -> tuple[str, ...]:
    """Parse the fields to request, in the order given, each once. `id` comes first if it was not named.

    Accepts None or nothing (the default fields), a list of names, the documented comma-separated string, and `all`.
    Raises `InvalidArgumentError`, which names the nearest valid name, before any request.
    """
    match value:
        case None:
            return DEFAULT
        case str():
            given: list[object] = [value]
        case list() | tuple():
            given = list(cast("list[object]", value))
        case _:
            raise _invalid("fields must be a list of field names or one comma-separated string.")
    names: dict[str, None] = {}
    for item in given:
        if not isinstance(item, str):
            raise _invalid("fields must contain names only, as text.")
        for part in item.split(","):
            if name := part.strip():
                names.update(dict.fromkeys(NAMES if name.lower() == "all" else (_valid(name),)))
    if not names:
        return DEFAULT
    return tuple(names) if "id" in names else ("id", *names)


def _valid(name: str) -> str:
    if (name := ALIASES.get(name, name)) in BY_NAME:
        return name
    shown = name if len(name) <= 40 and name.isprintable() else "(unreadable)"
    (near,) = difflib.get_close_matches(name.casefold()[:60], NAMES, n=1, cutoff=0.0)
    raise _invalid(f"unknown field {shown!r}.", f"Did you mean {near}? ")


def _invalid(what: str, hint: str = 'Send for example fields=["view_count", "like_count"]. ') -> InvalidArgumentError:
    return InvalidArgumentError(what, next_step=f"{hint}Valid names: {', '.join(NAMES)}.")
