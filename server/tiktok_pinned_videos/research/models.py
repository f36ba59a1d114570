"""Validated videos: a value that TikTok did not send is absent, never zero; texts are cleaned but not clipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Required, cast

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, with_config
from typing_extensions import TypedDict

from .errors import Status
from .text import clean

MAX_SAFE_INTEGER: Final = 2**53 - 1  # the largest that every JSON reader keeps exact (RFC 8259, section 6)
_MAX_DEPTH: Final = 32
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that ISO 8601 writes with four digits


def _cleaned(value: object, depth: int = 0) -> Any:
    """Return a JSON value with cleaned texts. Numbers that JSON readers would round become texts."""
    if depth > _MAX_DEPTH:
        raise ValueError("a value is nested too deeply")
    match value:
        case str():
            return clean(value)
        case int() | float() if abs(value) > MAX_SAFE_INTEGER:
            return repr(value)
        case list():
            return [_cleaned(item, depth + 1) for item in cast("list[object]", value)]
        case dict():
            items = cast("dict[str, object]", value).items()
            return {clean(key): _cleaned(item, depth + 1) for key, item in items}
        case _:
            return value


def _without_nulls(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in cast("dict[str, object]", value).items() if item is not None}


def _as_list(value: object) -> object:
    # TikTok's page calls the field a struct; the API sends a list of them.
    return [cast("object", value)] if isinstance(value, dict) else value


Digits = Annotated[str, Field(pattern=r"^[0-9]+$", coerce_numbers_to_str=True)]
Count = Annotated[StrictInt, Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
UnixSeconds = Annotated[StrictInt, Field(ge=0, le=_LAST_SECOND)]


@with_config(ConfigDict(extra="ignore"))
class HashtagInfo(TypedDict, total=False):
    """One hashtag of a video."""

    hashtag_id: Digits
    hashtag_description: StrictStr
    hashtag_name: StrictStr


@with_config(ConfigDict(extra="allow"))
class VideoLabel(TypedDict, total=False):
    """TikTok's notice on a video: the documented keys, and any others TikTok puts there."""

    type: StrictInt
    content: StrictStr
    vote: StrictBool
    warn: StrictBool
    sink: StrictBool


@with_config(ConfigDict(extra="forbid"))
class Video(TypedDict, total=False):
    """One pinned video, with the fields that were requested and sent. Source: TikTok's Video object."""

    id: Required[Digits]
    create_time: UnixSeconds
    username: StrictStr
    region_code: StrictStr
    video_description: StrictStr
    music_id: Digits
    video_duration: Count
    view_count: Count
    like_count: Count
    comment_count: Count
    share_count: Count
    favorites_count: Count
    hashtag_names: list[StrictStr]
    hashtag_info_list: Annotated[
        list[Annotated[HashtagInfo, BeforeValidator(_without_nulls)]], BeforeValidator(_as_list)
    ]
    video_mention_list: list[StrictStr]
    # Cleaned first, because two keys may become one.
    video_label: Annotated[VideoLabel, BeforeValidator(_without_nulls), BeforeValidator(_cleaned)]
    is_stem_verified: StrictBool
    sticker_info_list: Any
    effect_info_list: Any
    video_tag: Any


_VIDEO: Final = TypeAdapter(Video)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """TikTok's answer for one account at one moment; client, cache and answers share this value."""

    username: str
    fields: tuple[str, ...]
    videos: tuple[Video, ...]
    retrieved_at: float
    """Unix seconds."""
    log_id: str | None
    sandbox: bool

    @property
    def status(self) -> Status:
        """`FOUND`, or `NOTHING_PINNED` without videos."""
        return Status.FOUND if self.videos else Status.NOTHING_PINNED

    def serves(self, fields: tuple[str, ...]) -> bool:
        """Return whether it can answer a call for these fields."""
        return not self.videos or set(fields) <= set(self.fields)

    def narrowed(self, username: str, fields: tuple[str, ...]) -> Snapshot:
        """Return a copy with this spelling of the name and only these fields."""
        kept = [{name: value for name, value in video.items() if name in fields} for video in self.videos]
        videos = cast("tuple[Video, ...]", tuple(kept))
        return Snapshot(username, fields, videos, self.retrieved_at, self.log_id, self.sandbox)


def video_from_item(item: Mapping[str, object], fields: tuple[str, ...]) -> Video:
    """Validate and clean the requested `fields` of one object of TikTok's list.

    Raises pydantic's `ValidationError` for a value of the wrong JSON type or beyond its range, and `ValueError` for one
    that is nested too deeply.
    """
    values = {name: item[name] for name in fields if item.get(name) is not None}
    british = item.get("favourites_count")
    if "favorites_count" in fields and british is not None:
        values.setdefault("favorites_count", british)
    return cast("Video", {name: _cleaned(value) for name, value in _VIDEO.validate_python(values).items()})
