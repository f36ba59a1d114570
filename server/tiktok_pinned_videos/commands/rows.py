"""Answers as rows of CSV: one row per video. No cell is run as a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from tiktok_pinned_videos.presentation.text import cell

_ABOUT_ACCOUNT: Final = ("username", "status", "source", "retrieved_at", "log_id")
_FORMULA: Final = re.compile("'*[=+@\uff1d\uff0b\uff0d\uff20-]")
"""The beginning of a formula, also in full width. `'` is included, because an original one gets one more."""


def columns(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table of videos. The video's own `username` is named apart from the account's."""
    names = ["video_username" if name == "username" else name for name in fields]
    return (*_ABOUT_ACCOUNT, "url", *names, "engagement_rate")


def rows_of(result: Mapping[str, Any], fields: Sequence[str]) -> list[list[Any]]:
    """Return a row for each video of a structured result, or one row for an account without videos."""
    about = [result.get(name) for name in _ABOUT_ACCOUNT]
    videos: Sequence[Mapping[str, Any]] = result.get("videos") or [{}]
    return [[*about, *(video.get(name) for name in ("url", *fields, "engagement_rate"))] for video in videos]


def written(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as lines of CSV; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        items = cast("list[object]", value)
        names = [item for item in items if isinstance(item, str) and " " not in item]
        value = " ".join(names) if len(names) == len(items) else items
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return "" if value is None else cell(value)
