"""The format `table`: a grid for people, for one account or a comparison. Texts of TikTok's users are never markup."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tiktok_pinned_videos.presentation.notes import SANDBOX, UNTRUSTED
from tiktok_pinned_videos.research.fields import DEFAULT

from .grid import DIM, LABELS, NONE, TOTAL, UNKNOWN, Grid, console, exact, isolated, link

_DROPPED: Final = (
    "favorites_count", "share_count", "comment_count", "engagement_rate", "like_count", "posted", "bar", "caption",
)  # fmt: skip
"""Columns of an account that a narrow terminal lacks, in this order. `#` and views stay."""
_DROPPED_IN_RANKING: Final = ("top", *_DROPPED[:5], "view_count", "videos", "bar")
_SHOWN: Final = frozenset({"create_time", "video_description", *LABELS})
_AGES: Final = ((365 * 86_400, "year"), (30 * 86_400, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))
_INDENT: Final = 2
_UNRANKED: Final = {"found": "not ranked", "nothing_pinned": "nothing pinned"}
_MARKS: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def print_account(result: Mapping[str, Any], fields: Sequence[str], *, now: float) -> None:
    """Print one structured result of `get`: heading, grid with totals, changes, notes; or the reason of a failure.

    `now`: Unix seconds.
    """
    screen = console()
    if "reason" in result:
        _print_failures(screen, [result])
        return
    videos: Sequence[Mapping[str, Any]] = result["videos"]
    _print_banner(screen, result)
    count = f"{len(videos)} pinned video{'s' if len(videos) > 1 else ''}" if videos else "nothing pinned"
    screen.print(Text.assemble((_at(result), "bold"), f"  {count}", overflow="fold"))
    cached = ", cached" if result["cached"] else ""
    facts = [_source(result), f"{_moment(result['retrieved_at'], now)}{cached}"]
    facts += [f"log_id {result['log_id']}"] if "log_id" in result else []
    screen.print(Text(" · ".join(facts), style=DIM, overflow="fold"))
    if videos:
        screen.print(_videos(videos, result["totals"]).fitted(screen.width))
    if "changes" in result:
        _print_changes(screen, result["username"], result["changes"], now)
    more = [name for name in fields if name not in _SHOWN and name not in DEFAULT]
    notes = [f"Not in this table: {', '.join(more)}. Use --format json, csv or html."] if more and videos else []
    if any(name in fields and name not in video for video in videos for name in _SHOWN - {"engagement_rate"}):
        notes.insert(0, f"{UNKNOWN} = not sent by TikTok")
    _print_notes(screen, [*notes, *result["notes"]])


def print_comparison(result: Mapping[str, Any], *, now: float) -> None:
    """Print the structured result of `compare`: the ranking, then the accounts without a rank, one row each."""
    screen = console()
    measure: str = result["rank_by"]
    accounts: Sequence[Mapping[str, Any]] = result["accounts"]
    ranked = [account for account in accounts if "rank" in account]
    _print_banner(screen, result)
    screen.print(Text(f"{len(ranked)} of {len(accounts)} accounts ranked by {LABELS[measure]}", style="bold"))
    if "retrieved_at" in result:
        facts = f"{_source(result)} · oldest answer {_moment(result['retrieved_at'], now)}"
        screen.print(Text(facts, style=DIM, overflow="fold"))
    if ranked:
        screen.print(_ranking(ranked, measure).fitted(screen.width))
        screen.print()
    for account in accounts:
        if "changes" in account:
            screen.print(Text(f"{_at(account)}  {_change(account['changes'], now)}", style=DIM, overflow="fold"))
    _print_failures(screen, [account for account in accounts if "rank" not in account])
    _print_notes(screen, result["notes"])


def print_finding(mark: str, said: str) -> None:
    """Print a line of `doctor`: its mark in color, and the text beside it."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=5)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style=_MARKS.get(mark, DIM)), Text(said))
    console().print(table)


def _videos(videos: Sequence[Mapping[str, Any]], totals: Mapping[str, Any]) -> Grid:
    links = [link(video["url"], environment=os.environ) for video in videos]
    grid = Grid(_DROPPED)
    numbers = [Text(str(place), style=style) for place, style in enumerate(links, start=1)]
    grid.texts("#", "#", numbers, right=True)
    if any("create_time" in video for video in videos):
        posted = [video.get("create_time", UNKNOWN)[:10] for video in videos]
        grid.texts("posted", "posted", posted, footer=TOTAL if len(totals) > 1 else "")
    for name, label in LABELS.items():
        if name in totals:
            values = [video.get(name) for video in videos]
            cells = [exact(value, name) for value in values]
            grid.texts(name, label, cells, right=True, footer=exact(totals[name], name))
            if name == "view_count":
                grid.bars("bar", values)
    captions = [video.get("video_description") for video in videos]
    if any(captions):
        shown = [UNKNOWN if caption is None else isolated(caption) for caption in captions]
        grid.clipped("caption", "caption", [Text(text, style=style) for text, style in zip(shown, links, strict=True)])
    return grid


def _ranking(ranked: Sequence[Mapping[str, Any]], measure: str) -> Grid:
    totals = [account["totals"] for account in ranked]
    grid = Grid(_DROPPED_IN_RANKING)
    grid.texts("#", "#", [str(account["rank"]) for account in ranked], right=True)
    names = [Text(account["username"]) for account in ranked]
    for name in names:
        name.truncate(max(12, console().width // 4), overflow="ellipsis")
    grid.texts("account", "account", [Text(f"@{isolated(name.plain)}", style="bold") for name in names])
    for name in (measure, *(name for name in LABELS if name != measure)):
        values = [each.get(name) for each in totals]
        if any(value is not None for value in values):
            cells = [exact(value, name) for value in values]
            grid.texts("measure" if name == measure else name, LABELS[name], cells, right=True)
        if name == measure:
            grid.bars("bar", values)
    grid.texts("videos", "videos", [str(each["videos"]) for each in totals], right=True)
    tops: list[Text] = []
    for top in (account.get("top_video", {}) for account in ranked):
        caption = isolated(top.get("video_description", NONE))
        tops.append(Text(caption, style=link(top["url"], environment=os.environ) if top else ""))
    grid.clipped("top", "top video", tops)
    return grid


def _print_failures(screen: Console, accounts: Sequence[Mapping[str, Any]]) -> None:
    """Print accounts without a rank or an answer: name, status, reason."""
    if not accounts:
        return
    table = Table.grid(padding=(0, _INDENT))
    table.add_column(overflow="fold", max_width=max(12, screen.width // 3))
    table.add_column(overflow="fold")
    for account in accounts:
        failed = "reason" in account
        status = account["status"] if failed else _UNRANKED[account["status"]]
        said = Text.assemble((status, "red" if failed else ""), f": {account['reason']}" if failed else "")
        table.add_row(Text(_at(account), style="bold red" if failed else "bold"), said)
    screen.print(table)


def _print_changes(screen: Console, username: str, changes: Mapping[str, Any], now: float) -> None:
    said = _change(changes, now)
    screen.print(Text(f"{said[:1].upper()}{said[1:]}", overflow="fold"))
    for verb in ("pinned", "unpinned"):
        for one in changes[verb]:
            url = f"https://www.tiktok.com/@{quote(username, safe='')}/video/{one['id']}"
            when = f"between {_minute(one['after'])} and {_minute(one['by'])} UTC"
            line = Text(f"  {verb:<9} ").append(one["id"], style=link(url, environment=os.environ))
            screen.print(line.append(f"  {when}", style=DIM))


def _change(changes: Mapping[str, Any], now: float) -> str:
    turned = {verb: changes.get(f"{verb}_count", changes.get(verb, 0)) for verb in ("pinned", "unpinned")}
    counts = {verb: one if isinstance(one, int) else len(one) for verb, one in turned.items()}
    parts = [f"{count} {verb}" for verb, count in counts.items() if count]
    parts += [f"{changes[name]:+,} {label}" for name, label in LABELS.items() if changes.get(name)]
    return f"since {_moment(changes['since'], now)}: {', '.join(parts) or 'nothing changed'}"


def _print_banner(screen: Console, result: Mapping[str, Any]) -> None:
    if result.get("source") == "sandbox":
        screen.print(Text(f" {SANDBOX.upper()} ", style="black on yellow"))


def _print_notes(screen: Console, notes: Iterable[str]) -> None:
    # The sandbox has its banner, and people do not obey captions.
    for note in notes:
        if note not in (SANDBOX, UNTRUSTED):
            screen.print(Text(note, style=DIM, overflow="fold"))


def _at(account: Mapping[str, Any]) -> str:
    name = isolated(account["username"])
    return name if name.startswith("@") else f"@{name}"


def _source(result: Mapping[str, Any]) -> str:
    return "sandbox" if result["source"] == "sandbox" else "TikTok Research API"


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")


def _moment(iso: str, now: float) -> str:
    """Return a time and how long ago it was: `2026-11-22 20:08:50 UTC (2 hours ago)`."""
    seconds = now - datetime.fromisoformat(iso).timestamp()
    length, unit = next((each for each in _AGES if seconds >= each[0]), (0, ""))
    count = int(seconds // length) if length else 0
    ago = f"{count} {unit}{'s' if count > 1 else ''} ago" if length else "just now"
    return f"{iso.replace('T', ' ').replace('Z', ' UTC')} ({ago})"
