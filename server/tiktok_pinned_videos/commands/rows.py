"""Answers as rows of CSV: one row per video, exact, and harmless to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from tiktok_pinned_videos.presentation.text import cell

ABOUT_ACCOUNT: Final = ("username", "status", "source", "retrieved_at", "log_id", "url")
_VIDEO_USERNAME: Final = "video_username"
"""The column of the video's own field `username`: a table cannot have two columns of one name."""
_FORMULA: Final = re.compile("'*[=+@\uff1d\uff0b\uff0d\uff20-]")
"""What a spreadsheet would run, also in full width. A leading `'` of the text itself is told from an added one."""


def columns(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table of videos."""
    names = [_VIDEO_USERNAME if name == "username" else name for name in fields]
    return (*ABOUT_ACCOUNT, *names, "engagement_rate")


def video_rows(result: Mapping[str, Any], fields: Sequence[str]) -> list[list[Any]]:
    """Return a row for each video of a structured result."""
    about = [result.get(name) for name in ABOUT_ACCOUNT[:-1]]
    return [
        [*about, video["url"], *(video.get(name) for name in fields), video.get("engagement_rate")]
        for video in result["videos"]
    ]


def written(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as lines of CSV; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        items = cast("list[object]", value)
        names = [item for item in items if isinstance(item, str) and " " not in item]
        return _text(" ".join(names)) if len(names) == len(items) else cell(value)
    return _text(value) if isinstance(value, str) else cell(value)


def _text(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
