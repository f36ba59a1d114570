"""Validated videos: a value that TikTok did not send is None, never zero; texts are cleaned but not clipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from .errors import Status
from .text import clean

MAX_SAFE_INTEGER: Final = 2**53 - 1  # the largest that every JSON reader keeps exact (RFC 8259, section 6)
_MAX_DEPTH: Final = 32
_LABEL: Final = {"type": int, "content": str, "vote": bool, "warn": bool, "sink": bool}
"""The known keys of `video_label`; what else TikTok puts there is passed through."""
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that ISO 8601 writes with four digits


def _digits(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text.isascii() and text.isdigit():
        return text
    raise ValueError("an id is a number or a string of digits")


def _untyped(value: object, depth: int = 0) -> Any:
    """A JSON value without a documented type: cleaned, and safe for every JSON reader."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    match value:
        case str():
            return clean(value)
        case int() | float() if abs(value) > MAX_SAFE_INTEGER:
            return repr(value)
        case list():
            return [_untyped(item, depth + 1) for item in cast("list[object]", value)]
        case dict():
            items = cast("dict[str, object]", value).items()
            return {clean(key): _untyped(item, depth + 1) for key, item in items}
        case _:
            return value


def _without_nulls(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in cast("dict[str, object]", value).items() if item is not None}


def _as_list(value: object) -> object:
    # TikTok's page calls the field a struct; the API sends a list of them.
    return [cast("object", value)] if isinstance(value, dict) else value


def _label(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - pydantic's validators raise ValueError
    label = cast("dict[str, Any]", _untyped(_without_nulls(cast("object", value))))
    if any(type(label[key]) is not kind for key, kind in _LABEL.items() if key in label):
        raise ValueError("a value of the wrong type")
    return label


SafeText = Annotated[StrictStr, AfterValidator(clean)]
"""Untrusted text: one line, nothing invisible in it."""
Digits = Annotated[str, BeforeValidator(_digits)]
Count = Annotated[StrictInt, Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
UnixSeconds = Annotated[StrictInt, Field(ge=0, le=_LAST_SECOND)]
Untyped = Annotated[Any, AfterValidator(_untyped)]


class HashtagInfo(BaseModel):
    """One hashtag of a video."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hashtag_id: Digits | None = None
    hashtag_name: SafeText | None = None
    hashtag_description: SafeText | None = None


class Video(BaseModel):
    """One pinned video, with the fields that were requested and sent. Source: TikTok's Video object."""

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
    video_label: Annotated[dict[str, Any], BeforeValidator(_label)] | None = None
    video_duration: Count | None = None
    is_stem_verified: StrictBool | None = None
    sticker_info_list: Untyped = None
    effect_info_list: Untyped = None
    video_tag: Untyped = None

    def as_json(self) -> dict[str, Any]:
        """Return the present values for JSON, with `create_time` in Unix seconds."""
        return self.model_dump(exclude_none=True)

    def only(self, fields: tuple[str, ...]) -> Video:
        """Return the same video with these fields only."""
        return Video.model_construct(**{name: value for name in fields if (value := getattr(self, name)) is not None})


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
        """Whether anything is pinned."""
        return Status.FOUND if self.videos else Status.NOTHING_PINNED

    def serves(self, fields: tuple[str, ...]) -> bool:
        """Return whether it can answer a call for these fields."""
        return not self.videos or set(fields) <= set(self.fields)

    def narrowed(self, username: str, fields: tuple[str, ...]) -> Snapshot:
        """Return the same with the spelling and the fields of one call."""
        same = set(self.fields) == set(fields)
        videos = self.videos if same else tuple(video.only(fields) for video in self.videos)
        return replace(self, username=username, fields=fields, videos=videos)


def video_from_item(item: Mapping[str, object], fields: tuple[str, ...]) -> Video:
    """Validate the requested `fields` of one object of TikTok's list.

    Raises pydantic's `ValidationError` for a value of the wrong JSON type or beyond its range.
    """
    values = {name: item[name] for name in fields if item.get(name) is not None}
    british = item.get("favourites_count")
    if "favorites_count" in fields and british is not None:
        values.setdefault("favorites_count", british)
    return Video.model_validate(values)
