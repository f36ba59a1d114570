"""Text that TikTok's users wrote is clipped, with a visible mark. It was cleaned when it was received."""

from __future__ import annotations

import unicodedata
from typing import Any, Final, cast

from tiktok_pinned_videos.research.models import Video
from tiktok_pinned_videos.research.text import ZWJ, ZWNJ

MARK: Final = "…"
_PROSE_LIMIT: Final = 300
_PHRASE_LIMIT: Final = 100
_PROSE_IN: Final = {"hashtag_info_list": "hashtag_description", "video_label": "content"}
"""By field: the key of a text that is as long as a description."""
_LONGEST_SIGN: Final = 40
"""Characters; the longest sequence that is kept whole."""
_REGIONAL: Final = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_CONTINUING: Final = ZWJ + ZWNJ + "".join(map(chr, range(0x1F3FB, 0x1F400)))
"""Characters that belong to the one before: joiners and skin tones."""


class Clipper:
    """Clips the texts of one answer and records whether it clipped any. With `whole`, it clips none."""

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self.clipped = False

    def video(self, video: Video) -> Video:
        """Clip every text of a video."""
        clipped = {
            name: self.prose(value) if name == "video_description" else self.json(value, _PROSE_IN.get(name))
            for name, value in cast("dict[str, Any]", video).items()
        }
        return cast("Video", clipped)

    def json(self, value: Any, prose: str | None = None) -> Any:
        """Clip every text in a JSON value. Those with the key `prose` are prose."""
        if isinstance(value, str):
            return self.phrase(value)
        if isinstance(value, list):
            return [self.json(item, prose) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {self.phrase(key): self.prose(item) if key == prose else self.json(item) for key, item in items}
        return value

    def prose(self, text: str) -> str:
        """Clip a description or a notice, at 300 characters."""
        return text if len(text) <= _PROSE_LIMIT else self._clip(text, _PROSE_LIMIT)

    def phrase(self, text: str) -> str:
        """Clip any other text at 100 characters, but never a string of digits, which may be an id."""
        is_short = len(text) <= _PHRASE_LIMIT or (text.isascii() and text.isdigit())
        return text if is_short else self._clip(text, _PHRASE_LIMIT)

    def _clip(self, text: str, limit: int) -> str:
        if self._whole:
            return text
        self.clipped = True
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
