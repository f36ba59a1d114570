"""The documented `fields` parameter: names, types and meanings, and what a caller may write for it.

The one place where a field is declared; schema, README table, resource and parser are made from it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal, cast

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
    """Its place, from 1 on, among those that are asked for when the caller names no fields; 0 where it is not."""


FIELDS: Final = (
    Field("id", "id", "int64", "Unique id of the video; a string of digits here, so that none is lost.", 1),
    Field("create_time", "int", "int64", "When the video was posted; UTC, ISO 8601 (TikTok sends Unix seconds).", 2),
    Field("username", "str", "string", "Username of the video's creator."),
    Field("region_code", "str", "string", "Two-letter code of the country where the creator registered the account."),
    Field("video_description", "str", "string", "Description of the video, hashtags included.", 3),
    Field("music_id", "id", "int64", "Id of the music used; a string of digits here."),
    Field("like_count", "int", "int64", "Likes the video has received.", 6),
    Field("comment_count", "int", "int64", "Comments the video has received.", 7),
    Field("share_count", "int", "int64", "Shares the video has received.", 8),
    Field("view_count", "int", "int64", "Views the video has received.", 5),
    Field("favorites_count", "int", "int64", "Favorites the video has received.", 9),
    Field("hashtag_names", "list[str]", "list<string>", "Hashtags used in the video, without #.", 10),
    Field("hashtag_info_list", "hashtags", "struct", "Hashtags with hashtag_id, hashtag_name, hashtag_description."),
    Field("video_mention_list", "list[str]", "list<string>", "Users tagged in the video."),
    Field("video_label", "label", "struct", "Labels on the video: type, content, vote, warn, sink."),
    Field("video_duration", "int", "int64", "Duration of the video in seconds.", 4),
    Field("is_stem_verified", "bool", "bool", "Whether TikTok verified it as high-quality STEM content."),
    Field("sticker_info_list", "any", "struct (newer)", "Stickers on the video, as TikTok sends them."),
    Field("effect_info_list", "any", "struct (newer)", "Effects used in the video, as TikTok sends them."),
    Field("video_tag", "any", "struct (newer)", "Tags TikTok gave the video, as TikTok sends them."),
)

BY_NAME: Final = {field.name: field for field in FIELDS}
NAMES: Final = tuple(BY_NAME)
DEFAULT: Final = tuple(field.name for field in sorted(FIELDS, key=lambda field: field.default) if field.default)
COUNTS: Final = ("view_count", "like_count", "comment_count", "share_count", "favorites_count")
"""The counts that can be added up over an account's videos."""

ENGAGEMENT_OF: Final = ("like_count", "comment_count", "share_count")
"""The counts whose sum, divided by the views, is the engagement rate."""

ALIASES: Final = {"favourites_count": "favorites_count"}
"""The parameter list of TikTok's page spells it the British way; what works is the other."""

_ALL: Final = "all"
"""Accepted instead of the twenty names; TikTok does not know it."""


def parse_fields(value: object) -> tuple[str, ...]:
    """The fields to ask for, `id` first where it was not named, each once, in the order given.

    Takes what callers write: None or nothing for the default, a list of names, the documented comma-separated
    string, or `all`. Raises `InvalidArgumentError`, naming the nearest valid name, before anything is sent.
    """
    match value:
        case None:
            return DEFAULT
        case str():
            parts: list[object] = list(value.split(","))
        case list() | tuple():
            parts = [part for item in cast("list[object]", value) for part in _split(item)]
        case _:
            raise InvalidArgumentError(
                f"fields must be a list of field names or one comma-separated string, not {_json_type(value)}.",
                next_step=f'Send for example fields=["view_count", "like_count"]. Valid names: {", ".join(NAMES)}.',
            )
    names = dict.fromkeys(_field_name(part) for part in parts if not (isinstance(part, str) and not part.strip()))
    if not names:
        return DEFAULT
    if _ALL in names:
        return NAMES
    return tuple(dict.fromkeys(("id", *names))) if "id" not in names else tuple(names)


def _split(item: object) -> list[object]:
    return list(item.split(",")) if isinstance(item, str) else [item]


def _field_name(part: object) -> str:
    if not isinstance(part, str):
        raise InvalidArgumentError(
            f"fields must hold names, not {_json_type(part)}.", next_step=f"Valid names: {', '.join(NAMES)}."
        )
    name = part.strip()
    name = ALIASES.get(name, name)
    if name in BY_NAME:
        return name
    if name.casefold() == _ALL:
        return _ALL
    shown = name if len(name) <= 40 and name.isprintable() else "(unreadable)"
    near = difflib.get_close_matches(name.casefold()[:60], NAMES, n=1, cutoff=0.0)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise InvalidArgumentError(f"unknown field {shown!r}.", next_step=f"{hint}Valid names: {', '.join(NAMES)}.")


def _json_type(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case dict():
            return "an object"
        case None:
            return "null"
        case _:
            return "a list" if isinstance(value, list) else "something else"
