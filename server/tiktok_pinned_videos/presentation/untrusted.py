"""Types for text that TikTok's users wrote: clipped with a visible mark.

Every field of a result that can hold such text has one of these types. The text was cleaned when it was received.
Validating with `context=Clipping()` records whether anything was clipped.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, Field, ValidationInfo

from tiktok_pinned_videos.research.text import ZWJ, ZWNJ, clean

MARK: Final = "…"
PROSE_LIMIT: Final = 300
PHRASE_LIMIT: Final = 100
_LONGEST_SIGN: Final = 40
"""Characters; the longest sequence that is kept whole."""
_REGIONAL: Final = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_CONTINUING: Final = ZWJ + ZWNJ + "".join(map(chr, range(0x1F3FB, 0x1F400)))
"""Characters that belong to the one before: joiners and skin tones."""


@dataclass(slots=True)
class Clipping:
    """A record of whether a text of this answer was clipped. With `whole`, none is."""

    whole: bool = False
    happened: bool = False


def _clip(text: str, limit: int, info: ValidationInfo) -> str:
    if len(text) <= limit:
        return text
    if isinstance(info.context, Clipping):
        if info.context.whole:
            return text
        info.context.happened = True
    return text[: _boundary(text, limit - 1)].rstrip(f" {ZWJ}{ZWNJ}") + MARK


def _boundary(text: str, end: int) -> int:
    """Return the last index up to `end` that is not inside an emoji, a flag or a letter with its marks."""
    for place in range(end, max(end - _LONGEST_SIGN, 0), -1):
        before, after = text[place - 1], text[place]
        flags = text[:place]
        halves = len(flags) - len(flags.rstrip(_REGIONAL)) if after in _REGIONAL else 0
        joined = before == ZWJ or after in _CONTINUING or unicodedata.category(after)[0] == "M"
        if not joined and halves % 2 == 0:
            return place
    return end


def _prose(text: str, info: ValidationInfo) -> str:
    return _clip(text, PROSE_LIMIT, info)


def _phrase(text: str, info: ValidationInfo) -> str:
    return _clip(text, PHRASE_LIMIT, info)


def _tree(value: Any, info: ValidationInfo) -> Any:
    match value:
        case str():
            return value if value.isascii() and value.isdigit() else _phrase(value, info)
        case list():
            return [_tree(item, info) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {_phrase(key, info): _tree(item, info) for key, item in items}
        case _:
            return value


def _label(label: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    return {
        _phrase(key, info): _prose(value, info) if key == "content" else _tree(value, info)
        for key, value in label.items()
    }


# A short text is accepted without calling Python code.
Prose = Annotated[
    Annotated[str, Field(max_length=PROSE_LIMIT)] | Annotated[str, AfterValidator(_prose)],
    Field(union_mode="left_to_right"),
]
"""Descriptions and labels: at most 300 characters."""
Phrase = Annotated[
    Annotated[str, Field(max_length=PHRASE_LIMIT)] | Annotated[str, AfterValidator(_phrase)],
    Field(union_mode="left_to_right"),
]
"""Any other untrusted text: at most 100 characters."""
Explanation = Annotated[str, AfterValidator(clean)]
"""A sentence of ours that may quote TikTok's message, which was clipped when the error was made."""
UntrustedJSON = Annotated[Any, AfterValidator(_tree)]
"""A JSON value without a documented type: each text in it is clipped like a phrase, strings of digits (ids) never."""
UntrustedLabel = Annotated[dict[str, Any], AfterValidator(_label)]
"""`video_label`: the same, except that its `content` is clipped like prose."""
