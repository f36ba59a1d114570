"""Answers as rows of CSV: a row a video, exact, and harmless to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from tiktok_pinned_videos.presentation.text import cell

_FORMULA: Final = re.compile("'*[=+@\uff1d\uff0b\uff0d\uff20-]")
"""What a spreadsheet would run, also in full width. A text with a `'` of its own there is told from one with ours."""
ABOUT_ACCOUNT: Final = ("username", "status", "source", "retrieved_at", "log_id", "url")


def columns(fields: Sequence[str]) -> tuple[str, ...]:
    """Those of a table of videos."""
    return (*ABOUT_ACCOUNT, *fields, "engagement_rate")


def video_rows(result: Mapping[str, Any], fields: Sequence[str]) -> list[list[Any]]:
    """A row for each video of a structured result."""
    about = [result.get(name) for name in ABOUT_ACCOUNT[:-1]]
    return [
        [*about, video["url"], *(video.get(name) for name in fields), video.get("engagement_rate")]
        for video in result["videos"]
    ]


def written(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as lines of CSV; None is an empty cell."""
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
