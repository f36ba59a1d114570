"""The format `table`: a grid for people, for one account or a comparison. Untrusted text is never read as markup."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from tiktok_pinned_videos.presentation.notes import SANDBOX, UNTRUSTED
from tiktok_pinned_videos.presentation.results import video_url
from tiktok_pinned_videos.research.fields import DEFAULT

from .grid import Column, bars, fitted, texts
from .streams import width

_LABELS: Final = {
    "view_count": "views",
    "like_count": "likes",
    "comment_count": "comments",
    "share_count": "shares",
    "favorites_count": "favorites",
    "engagement_rate": "engagement",
}
_DROPPED: Final = ("favorites_count", "share_count", "comment_count", "engagement_rate", "like_count")
_DROPPED_IN_ACCOUNT: Final = (*_DROPPED, "posted", "bar", "caption")
"""Columns that are dropped on a narrow terminal, in this order. `#` and views stay."""
_DROPPED_IN_RANKING: Final = ("top", *_DROPPED, "view_count", "videos", "bar")
"""The same for a ranking; the measure stays."""
_SHOWN: Final = frozenset({"create_time", "video_description", *_LABELS})
_UNRANKED: Final = {"found": "not ranked", "nothing_pinned": "nothing pinned"}
_ABSENT: Final = "-"
_MIN_WIDTH: Final = 32
"""The narrowest grid. Narrower terminals wrap its lines, because a cropped number would be wrong."""


def print_account(result: Mapping[str, Any], fields: Sequence[str]) -> None:
    """Print one structured result of `get`: heading, grid with totals, changes, notes; or the reason of a failure."""
    screen = _screen()
    if "reason" in result:
        _print_unranked(screen, [result])
        return
    videos: Sequence[Mapping[str, Any]] = result["videos"]
    _print_banner(screen, result)
    count = f"{len(videos)} pinned video{'s' if len(videos) > 1 else ''}" if videos else "nothing pinned"
    screen.print(Text.assemble((_at(result), "bold"), f"  {count}", overflow="fold"))
    facts = [_source(result), _moment(result["retrieved_at"]) + (", cached" if result["cached"] else "")]
    _print_dim(screen, " · ".join(facts + ([f"log_id {result['log_id']}"] if "log_id" in result else [])))
    if videos:
        screen.print(fitted(_columns(videos, result["totals"]), _DROPPED_IN_ACCOUNT, screen.width))
    if "changes" in result:
        _print_changes(screen, result["username"], result["changes"])
    more = [name for name in fields if name not in _SHOWN and name not in DEFAULT]
    if more and videos:
        _print_dim(screen, f"Not in this table: {', '.join(more)}. Use --format json, csv or html.")
    _print_notes(screen, result)


def print_comparison(result: Mapping[str, Any]) -> None:
    """Print the structured result of `compare`: the ranking, then the accounts without a rank, one row each."""
    screen = _screen()
    measure: str = result["rank_by"]
    accounts: Sequence[Mapping[str, Any]] = result["accounts"]
    ranked = [account for account in accounts if "rank" in account]
    _print_banner(screen, result)
    screen.print(Text(f"{len(ranked)} of {len(accounts)} accounts ranked by {_LABELS[measure]}", style="bold"))
    if "retrieved_at" in result:
        _print_dim(screen, f"{_source(result)} · oldest answer {_moment(result['retrieved_at'])}")
    if ranked:
        dropped = [name for name in _DROPPED_IN_RANKING if name != measure]
        screen.print(fitted(_ranking(ranked, measure, screen.width), dropped, screen.width))
        screen.print()
    for account in accounts:
        if "changes" in account:
            changes = account["changes"]
            counts = {verb: changes[f"{verb}_count"] for verb in ("pinned", "unpinned")}
            _print_dim(screen, f"{_at(account)}  since {_change(changes, counts)}")
    _print_unranked(screen, [account for account in accounts if "rank" not in account])
    _print_notes(screen, result)


def _screen() -> Console:
    """Return a console on stdout, in the terminal's width and colors; plain text if stdout is not a terminal."""
    return Console(width=max(width(), _MIN_WIDTH), highlight=False, markup=False, emoji=False, legacy_windows=False)


def _columns(videos: Sequence[Mapping[str, Any]], totals: Mapping[str, Any]) -> list[Column]:
    links = [_link(video["url"]) for video in videos]
    numbers = [Text(str(place), style=style) for place, style in enumerate(links, start=1)]
    columns = [texts("#", "#", numbers, footer="total" if len(totals) > 1 else "")]
    if any("create_time" in video for video in videos):
        columns.append(texts("posted", "posted", [video.get("create_time", _ABSENT)[:10] for video in videos]))
    columns += _counts(videos, tuple(_LABELS), totals)
    captions = [video.get("video_description") for video in videos]
    if any(captions):
        shown = [_ABSENT if caption is None else _isolated(caption) for caption in captions]
        columns.append(texts("caption", "caption", map(Text, shown, links), clip=True))
    return columns


def _ranking(ranked: Sequence[Mapping[str, Any]], measure: str, columns: int) -> list[Column]:
    totals = [account["totals"] for account in ranked]
    names = [Text(account["username"]) for account in ranked]
    for name in names:
        name.truncate(max(12, columns // 4), overflow="ellipsis")
    tops = [account.get("top_video", {}) for account in ranked]
    captions = [Text(_isolated(top.get("video_description", _ABSENT)), _link(top.get("url"))) for top in tops]
    return [
        texts("#", "#", [str(account["rank"]) for account in ranked], right=True),
        texts("account", "account", [Text(f"@{_isolated(name.plain)}", style="bold") for name in names]),
        *_counts(totals, (measure, *(name for name in _LABELS if name != measure)), {}),
        texts("videos", "videos", [str(each["videos"]) for each in totals], right=True),
        texts("top", "top video", captions, clip=True),
    ]


def _counts(entries: Sequence[Mapping[str, Any]], order: Sequence[str], totals: Mapping[str, Any]) -> list[Column]:
    """Columns of the counts that are known, in this order, with bars after the first."""
    columns: list[Column] = []
    for name in order:
        values = [entry.get(name) for entry in entries]
        if any(value is not None for value in values):
            footer = _exact(totals[name], name) if name in totals else ""
            cells = [_exact(value, name) for value in values]
            columns.append(texts(name, _LABELS[name], cells, right=True, footer=footer))
            columns += [bars("bar", values)] if name == order[0] else []
    return columns


def _exact(value: float | None, name: str) -> str:
    """Return every digit, with thousands separators; a rate in percent, to four digits as it is defined."""
    return _ABSENT if value is None else f"{value:.2%}" if name == "engagement_rate" else f"{value:,}"


def _print_unranked(screen: Console, accounts: Sequence[Mapping[str, Any]]) -> None:
    """Print accounts without a rank or an answer: name, status, reason."""
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", max_width=max(12, screen.width // 3))
    table.add_column(overflow="fold")
    for account in accounts:
        status: str = account["status"]
        if "reason" in account:
            why = Text.assemble((status, "red"), f": {account['reason']}")
            table.add_row(Text(_at(account), "bold red"), why)
        else:
            table.add_row(Text(_at(account), "bold"), _UNRANKED[status])
    if accounts:
        screen.print(table)


def _print_changes(screen: Console, username: str, changes: Mapping[str, Any]) -> None:
    counts = {verb: len(changes[verb]) for verb in ("pinned", "unpinned")}
    screen.print(Text(f"Since {_change(changes, counts)}", overflow="fold"))
    for verb in counts:
        for one in changes[verb]:
            when = " and ".join(one[key][:16].replace("T", " ") for key in ("after", "by"))
            line = Text(f"  {verb:<8} ").append(one["id"], style=_link(video_url(username, one["id"])))
            screen.print(line.append(f" between {when} UTC", style="dim"))


def _change(changes: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    parts = [f"{count} {verb}" for verb, count in counts.items() if count]
    parts += [f"{changes[name]:+,} {label}" for name, label in _LABELS.items() if changes.get(name)]
    return f"{_moment(changes['since'])}: {', '.join(parts) or 'nothing changed'}"


def _print_banner(screen: Console, result: Mapping[str, Any]) -> None:
    if result.get("source") == "sandbox":
        screen.print(Text(f" {SANDBOX.upper()} ", style="black on yellow"))


def _print_notes(screen: Console, result: Mapping[str, Any]) -> None:
    # The sandbox has a banner, and the warning about untrusted text is for models.
    for note in result["notes"]:
        if note not in (SANDBOX, UNTRUSTED):
            _print_dim(screen, note)


def _print_dim(screen: Console, text: str) -> None:
    screen.print(Text(text, style="dim", overflow="fold"))


def _link(url: str | None) -> Style:
    """Return a style that links a text. The Linux console would print the escape sequence."""
    return Style(link=None if os.environ.get("TERM") == "linux" else url)


def _isolated(text: str) -> str:
    """Enclose right-to-left text in isolates, so that the columns beside it keep their places.

    Variants of emoji (skin tones, color) are left out: terminals do not agree how wide they are.
    """
    text = re.sub("[\ufe0f\U0001f3fb-\U0001f3ff]", "", text)
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return f"\u2068{text}\u2069"
    return text


def _at(account: Mapping[str, Any]) -> str:
    name = _isolated(account["username"])
    return name if name.startswith("@") else f"@{name}"


def _source(result: Mapping[str, Any]) -> str:
    return "sandbox" if result["source"] == "sandbox" else "TikTok Research API"


def _moment(iso: str) -> str:
    return iso.replace("T", " ").replace("Z", " UTC")
