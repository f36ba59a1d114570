"""What the interactive view shows, for a terminal: a card of lines per account, a ranking with bars.

The one module that draws with rich. Foreign text comes cleaned, is never read as markup, and stands on lines of its
own or at the end of a row, so that no script or emoji moves a column.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tiktok_pinned_videos.presentation.notes import SANDBOX, UNTRUSTED
from tiktok_pinned_videos.research.fields import COUNTS

from .figures import LABELS, age, bar, duration, exact, isolated, moment, short

_HASHTAG: Final = re.compile(r"#(\w+)")
_BAR_AT_MOST: Final = 48
_SHOWN: Final = frozenset({"id", "url", "create_time", "video_description", "video_duration", "hashtag_names", *LABELS})
"""Fields of a video that have their place; all others follow by name."""
_CUT: Final = "Long texts were cut"
_DIM: Final = "bright_black"
_MARKS: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class Cards:
    """Draws structured results of both tools, in the width and colours of `file`; plain text where it is no terminal.

    `now`: Unix seconds that ages are told from.
    """

    def __init__(self, file: TextIO | None = None, *, now: float | None = None, console: Console | None = None) -> None:
        self._console = console or Console(
            file=file or sys.stdout, highlight=False, markup=False, emoji=False, legacy_windows=False
        )
        self._now = time.time() if now is None else now
        self._first = True

    def account(self, result: Mapping[str, Any]) -> None:
        """One account: its totals, its videos, what changed; or why it failed."""
        if not self._first:
            self._print("")
        self._first = False
        if "reason" in result:
            self._failure(result)
            return
        videos: Sequence[Mapping[str, Any]] = result["videos"]
        self._banner(result["source"])
        count = f"{len(videos)} pinned video{'s' if len(videos) > 1 else ''}" if videos else "nothing pinned"
        self._print(_line((f"@{isolated(result['username'])}", "bold"), (f"  {count}", "")))
        self._wrapped(Text(self._facts(result), style=_DIM), indent=0)
        self._totals(result["totals"])
        most = max((video.get("view_count", 0) for video in videos), default=0)
        for place, video in enumerate(videos, start=1):
            self._video(place, video, most)
        if "changes" in result:
            self._print("")
            self._wrapped(Text(self._changes(result["changes"])), indent=0)
        self._notes(result["notes"])

    def ranking(self, result: Mapping[str, Any]) -> None:
        """A comparison: bars by its measure, then those without a rank, each with the reason."""
        measure: str = result["rank_by"]
        accounts: Sequence[Mapping[str, Any]] = result["accounts"]
        ranked = [account for account in accounts if "rank" in account]
        self._banner(result.get("source", ""))
        head = f"{len(ranked)} of {len(accounts)} accounts ranked by {LABELS[measure]}"
        self._print(Text(head, style="bold"))
        if "retrieved_at" in result:
            at = result["retrieved_at"]
            facts = f"{_source(result)} · oldest answer {moment(at)} ({age(at, self._now)})"
            self._wrapped(Text(facts, style=_DIM), indent=0)
        if ranked:
            self._print("")
            self._print(self._bars(ranked, measure))
        changed = [account for account in accounts if "changes" in account]
        if changed:
            self._print("")
        for account in changed:
            name, said = isolated(account["username"]), self._changes(account["changes"])
            self._wrapped(_line((f"@{name}", ""), (f"  {said[:1].lower()}{said[1:]}", _DIM)), indent=0)
        rest = [account for account in accounts if "rank" not in account]
        if rest:
            self._print("")
        for account in rest:
            said = account.get("reason") or account["status"].replace("_", " ")
            if account["status"] == "found":
                said = f"not ranked, TikTok sent no {measure}"
            style = "red" if "reason" in account else ""
            status = f"{account['status']}: " if "reason" in account else ""
            name = isolated(account["username"])
            self._wrapped(_line((f"@{name}", style), (f"  {status}{said}", "")), indent=0)
        self._notes(result["notes"])

    def finding(self, mark: str, said: str) -> None:
        """A line of `doctor`: its mark in colour, what it says beside it."""
        room = max(self._console.width - 6, 20)
        for place, line in enumerate(Text(said).wrap(self._console, room, overflow="fold")):
            line.rstrip()
            self._print(Text.assemble((f"{'' if place else mark:<6}", _MARKS.get(mark, _DIM)), line))

    def _bars(self, ranked: Sequence[Mapping[str, Any]], measure: str) -> Table:
        width = self._console.width
        most = max(account["totals"][measure] for account in ranked)
        names = max(cell_len(account["username"]) + 1 for account in ranked)
        names = min(max(names, len("account")), max(14, width // 4))
        figures = max(len(exact(account["totals"][measure], measure)) for account in ranked)
        roomy, top = width >= 100, width >= 140
        room = width - names - figures - 9 - 8 - (20 if roomy else 0) - (44 if top else 0)
        room = max(8, min(room, _BAR_AT_MOST))
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style=_DIM, pad_edge=False)
        table.add_column("#", justify="right")
        table.add_column("account", width=names, overflow="fold")
        table.add_column(LABELS[measure], width=room, no_wrap=True)
        table.add_column("", justify="right")
        table.add_column("exact", justify="right", no_wrap=True)
        if roomy:
            table.add_column("videos", justify="right")
            table.add_column("engagement", justify="right")
        if top:
            table.add_column("top video", width=42, no_wrap=True, overflow="ellipsis")
        for account in ranked:
            totals = account["totals"]
            value = totals[measure]
            row: list[RenderableType] = [
                str(account["rank"]),
                Text(f"@{isolated(account['username'])}", style="bold"),
                Text(bar(value, most, room), style="cyan"),
                short(value, measure),
                Text(exact(value, measure), style=_DIM),
            ]
            if roomy:
                rate = totals.get("engagement_rate")
                row += [str(totals["videos"]), "?" if rate is None else short(rate, "engagement_rate")]
            if top:
                row.append(Text(isolated(account.get("top_video", {}).get("video_description", ""))))
            table.add_row(*row)
        return table

    def _video(self, place: int, video: Mapping[str, Any], most: float) -> None:
        views = video.get("view_count")
        self._print("")
        room = max(8, min(self._console.width - 26, _BAR_AT_MOST))
        head = Text(f"{place:>2}  ", style="bold")
        if views is None:
            head.append("views ? (not sent by TikTok)" if most else f"video {video['id']}", style=_DIM)
        else:
            head.append(bar(views, most, room), style="cyan")
            head.append(f" {short(views)} views", style="bold")
        self._print(head)
        lines: list[Text] = []
        counts = [f"{exact(video[name])} {label}" for name, label in LABELS.items() if name in video and name in COUNTS]
        if "engagement_rate" in video:
            counts.append(f"{short(video['engagement_rate'], 'engagement_rate')} engagement")
        if counts:
            lines.append(Text(" · ".join(counts)))
        when = video.get("create_time")
        facts = [f"posted {moment(when)} ({age(when, self._now)})"] if when else []
        facts += [duration(video["video_duration"])] if "video_duration" in video else []
        if facts:
            lines.append(Text(" · ".join(facts), style=_DIM))
        said = video.get("video_description", "")
        if said:
            lines.append(Text(isolated(said), overflow="fold"))
        shown = set(_HASHTAG.findall(said))
        tags = [f"#{tag}" for tag in video.get("hashtag_names", ()) if tag not in shown]
        if tags:
            lines.append(Text(isolated(" ".join(tags)), style="blue", overflow="fold"))
        lines += [Text(f"{name}: {_value(video[name])}", overflow="fold") for name in video if name not in _SHOWN]
        lines.append(Text(video["url"], style=_DIM, overflow="fold"))
        for line in lines:
            self._wrapped(line)

    def _totals(self, totals: Mapping[str, Any]) -> None:
        tiles = [
            _line((short(totals[name], name), "bold cyan"), (f" {label}\n", ""), (exact(totals[name], name), _DIM))
            for name, label in LABELS.items()
            if name in totals
        ]
        if tiles:
            self._print("")
            self._print(Columns(tiles, padding=(0, 3, 0, 0), equal=True))

    def _facts(self, result: Mapping[str, Any]) -> str:
        at = result["retrieved_at"]
        facts = [_source(result), f"{moment(at)} ({age(at, self._now)}{', cached' if result['cached'] else ''})"]
        facts += [f"log_id {isolated(result['log_id'])}"] if "log_id" in result else []
        return " · ".join(facts)

    def _changes(self, changes: Mapping[str, Any]) -> str:
        parts = [f"{_count(changes[verb])} {verb}" for verb in ("pinned", "unpinned") if _count(changes[verb])]
        parts += [f"{changes[name]:+,} {label}" for name, label in LABELS.items() if changes.get(name) is not None]
        since = changes["since"]
        said = ", ".join(parts) or "nothing changed"
        return f"Since {moment(since)} ({age(since, self._now)}): {said}"

    def _failure(self, result: Mapping[str, Any]) -> None:
        self._print(_line((f"@{isolated(result['username'])}", "bold red"), (f"  {result['status']}", "red")))
        self._wrapped(Text(result["reason"]))

    def _banner(self, source: str) -> None:
        if source == "sandbox":
            self._print(Text(f" {SANDBOX.upper()} ", style="black on yellow"))

    def _notes(self, notes: Iterable[str]) -> None:
        # The sandbox has its banner; and nobody who reads this would obey a caption.
        told = [note for note in notes if note not in (SANDBOX, UNTRUSTED)]
        for note in told:
            here = f"{_CUT} (…); --format json, csv and html have them whole." if note.startswith(_CUT) else note
            self._wrapped(Text(f"Note: {here}", style=_DIM), indent=0)

    def _wrapped(self, text: Text, *, indent: int = 4) -> None:
        """Lines of words, without blanks at their ends."""
        for line in text.wrap(self._console, max(self._console.width - indent, 20), overflow="fold"):
            line.rstrip()
            self._print(Text(" " * indent) + line)

    def _print(self, what: RenderableType) -> None:
        self._console.print(what)


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts, overflow="fold")


def _source(result: Mapping[str, Any]) -> str:
    return "sandbox" if result["source"] == "sandbox" else "TikTok Research API"


def _count(changed: Any) -> int:
    """Of a comparison the number is told, of one account the videos."""
    return changed if isinstance(changed, int) else len(changed)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return isolated(value)
    return isolated(json.dumps(value, ensure_ascii=False))
