"""Text that TikTok's users wrote is clipped, with a visible mark. It was cleaned when it was received."""

from __future__ import annotations

import unicodedata
from typing import Any, Final, cast

from tiktok_pinned_videos.research.models import Video
from tiktok_pinned_videos.research.text import ZWJ, ZWNJ

MARK: Final = "…"
PROSE: Final = 300
"""Limit in characters for descriptions and notices."""
PHRASE: Final = 100
"""Limit in characters for any other text."""
_LIMITS: Final = {
    **dict.fromkeys(("video_description", "hashtag_info_list.hashtag_description", "video_label.content"), PROSE),
    **dict.fromkeys(("username", "region_code", "hashtag_names", "video_mention_list"), PHRASE),
    "hashtag_info_list.hashtag_name": PHRASE,
}
"""By path in a video: the texts of documented fields. At any other path, a string of digits may be an id."""
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
        """Clip every text of a video, but no id."""
        return cast("Video", {name: self.json(value, name) for name, value in video.items()})

    def json(self, value: Any, path: str) -> Any:
        """Clip every text of the value at this path in a video."""
        if isinstance(value, str):
            if path not in _LIMITS and value.isascii() and value.isdigit():
                return value
            return self.text(value, _LIMITS.get(path, PHRASE))
        if isinstance(value, list):
            return [self.json(item, path) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {self.text(key): self.json(item, f"{path}.{key}") for key, item in items}
        return value

    def text(self, text: str, limit: int = PHRASE) -> str:
        """Clip one text."""
        if self._whole or len(text) <= limit:
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
