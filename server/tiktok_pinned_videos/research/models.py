"""What one video is once TikTok's answer has been believed: strict about types, clean of invisible text.

A value TikTok did not send is absent (None), never zero. Ids are strings of digits. Texts are cleaned, not clipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from .errors import NotFoundError, Status
from .text import clean

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259, section 6)."""
_MAX_DEPTH: Final = 32
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that ISO 8601 writes with four digits


def _digits(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return value
    raise ValueError("an id is an integer or a string of digits")


def _untyped(value: object, depth: int = 0) -> Any:
    """A JSON value of a shape TikTok does not document: cleaned, and safe for every JSON reader."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    match value:
        case bool() | None:
            return value
        case str():
            return clean(value)
        case int():
            return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) and abs(value) <= MAX_SAFE_INTEGER else repr(value)
        case list():
            return [_untyped(item, depth + 1) for item in cast("list[object]", value)]
        case dict():
            items = cast("dict[str, object]", value).items()
            return {clean(key): _untyped(item, depth + 1) for key, item in items}
        case _:
            raise ValueError("not a JSON value")


SafeText = Annotated[StrictStr, AfterValidator(clean)]
"""Foreign text: one line, nothing invisible in it."""
Digits = Annotated[str, BeforeValidator(_digits)]
Count = Annotated[StrictInt, Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
UnixSeconds = Annotated[StrictInt, Field(ge=0, le=_LAST_SECOND)]
Untyped = Annotated[Any, AfterValidator(_untyped)]


def _without_nulls(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in cast("dict[str, object]", value).items() if item is not None}


def _as_list(value: object) -> object:
    # The page calls the field a struct, the live API sends a list of them.
    return [cast("object", value)] if isinstance(value, dict) else value


def _label(value: object) -> object:
    if not isinstance(value, dict):
        return value
    known = VideoLabel.model_fields
    items = cast("dict[str, object]", value).items()
    return {
        (key if key in known else clean(key)): (item if key in known else _untyped(item))
        for key, item in items
        if item is not None
    }


class HashtagInfo(BaseModel):
    """One hashtag of a video."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hashtag_id: Digits | None = None
    hashtag_name: SafeText | None = None
    hashtag_description: SafeText | None = None


class VideoLabel(BaseModel):
    """The labels of a video: five known keys, and whatever else TikTok puts there."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Count | None = None
    content: SafeText | None = None
    vote: StrictBool | None = None
    warn: StrictBool | None = None
    sink: StrictBool | None = None


class Video(BaseModel):
    """One pinned video, with the fields that were asked for and sent. Source: TikTok's Video object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Digits
    create_time: UnixSeconds | None = None
    username: SafeText | None = None
    region_code: SafeText | None = None
    video_description: SafeText | None = None
    music_id: Digits | None = None
    like_count: Count | None = None
    comment_count: Count | None = None
    share_count: Count | None = None
    view_count: Count | None = None
    favorites_count: Count | None = None
    hashtag_names: list[SafeText] | None = None
    hashtag_info_list: (
        Annotated[list[Annotated[HashtagInfo, BeforeValidator(_without_nulls)]], BeforeValidator(_as_list)] | None
    ) = None
    video_mention_list: list[SafeText] | None = None
    video_label: Annotated[VideoLabel, BeforeValidator(_label)] | None = None
    video_duration: Count | None = None
    is_stem_verified: StrictBool | None = None
    sticker_info_list: Untyped = None
    effect_info_list: Untyped = None
    video_tag: Untyped = None

    def as_json(self) -> dict[str, Any]:
        """The values that are present, JSON-ready, `create_time` still in Unix seconds."""
        return self.model_dump(exclude_none=True)

    def only(self, fields: tuple[str, ...]) -> Video:
        """The same video with these fields alone."""
        return Video.model_construct(**{name: value for name in fields if (value := getattr(self, name)) is not None})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What TikTok said an account has pinned, at one moment; the one value that client, cache and answers share."""

    username: str
    fields: tuple[str, ...]
    videos: tuple[Video, ...]
    retrieved_at: float
    """Unix seconds."""
    log_id: str | None
    sandbox: bool

    @property
    def status(self) -> Status:
        """Whether anything is pinned."""
        return Status.FOUND if self.videos else Status.NOTHING_PINNED

    def serves(self, fields: tuple[str, ...]) -> bool:
        """Whether these fields can be answered from it."""
        return not self.videos or set(fields) <= set(self.fields)

    def narrowed(self, username: str, fields: tuple[str, ...]) -> Snapshot:
        """The same for a call that wrote the name its way and asked for these fields alone."""
        same = self.fields == fields or set(self.fields) == set(fields)
        videos = self.videos if same else tuple(video.only(fields) for video in self.videos)
        return replace(self, username=username, fields=fields, videos=videos)


@dataclass(frozen=True, slots=True)
class Missing:
    """TikTok knows no account of this name: what is remembered of such an answer."""

    username: str
    retrieved_at: float
    code: str | None
    log_id: str | None
    sandbox: bool

    def error(self) -> NotFoundError:
        """The failure it was and is."""
        return NotFoundError(
            "TikTok knows no account of this name.", code=self.code, log_id=self.log_id, sandbox=self.sandbox
        )


def video_from_item(item: Mapping[str, object], fields: tuple[str, ...]) -> Video:
    """Believe one object of TikTok's list, as far as `fields` were asked for.

    Raises pydantic's `ValidationError` for a value of the wrong JSON type or beyond its range.
    """
    values = {name: item[name] for name in fields if item.get(name) is not None}
    if "favorites_count" in fields and "favorites_count" not in values:
        british = item.get("favourites_count")
        if british is not None:
            values["favorites_count"] = british
    return Video.model_validate(values)
