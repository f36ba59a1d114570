"""`compare`: accounts ranked by one metric, on a terminal or in a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from tiktok_pinned_videos.presentation.comparison import compared, comparison_text
from tiktok_pinned_videos.research.fields import DEFAULT, MEASURES, Measure
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer
from tiktok_pinned_videos.settings import Settings

from . import stop
from .ask import ask_accounts, end, need_credentials
from .formats import failure, origin, print_failure, result_of
from .names import accounts_named
from .rows import written
from .streams import require_stdout

_COLUMNS: Final = (
    "rank", "username", "status", "reason", "videos", *MEASURES, "top_video_id", "source", "retrieved_at", "log_id",
)  # fmt: skip


def run(
    settings: Settings,
    *,
    usernames: tuple[str, ...],
    source: Path | None,
    column: str | None,
    rank_by: Measure,
    refresh: bool,
    output: str,
) -> None:
    """Print one ranking of all accounts and end with the documented status."""
    names = accounts_named(usernames, source, column)
    if len(names) < 2:
        stop("compare needs two or more accounts. Try: tiktok-pinned-videos-mcp compare nasa esa --sandbox")
    need_credentials(settings)
    require_stdout()
    outcomes = ask_accounts(settings, names, DEFAULT, refresh=refresh, each=lambda _: None)
    answered = any(outcome.answer for outcome in outcomes)
    result: dict[str, Any] = (
        dict(compared(outcomes, rank_by, whole=True))
        if answered
        else {"rank_by": rank_by, "accounts": list(map(failure, outcomes)), "notes": []}
    )
    if output == "csv" or not answered:
        for outcome in outcomes:
            print_failure(outcome)
    match output:
        case "csv":
            click.echo(written([_COLUMNS, *_rows(result, outcomes)]), nl=False)
        case "json":
            click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        case "table":
            from .terminal import print_comparison

            print_comparison(result)
        case "html":
            from tiktok_pinned_videos.presentation.view import page

            click.echo(page([result] if answered else result["accounts"]), nl=False)
        case _:
            click.echo(comparison_text(compared(outcomes, rank_by)) if answered else "", nl=answered)
    end(outcomes)


def _rows(result: dict[str, Any], outcomes: Sequence[Outcome[Answer]]) -> Iterator[list[Any]]:
    # A ranking has names without control characters.
    about = {clean(each["username"]): each for each in (result_of(outcome) | origin(outcome) for outcome in outcomes)}
    for account in result["accounts"]:
        top = {"top_video_id": account.get("top_video", {}).get("id")}
        values = {**about.get(account["username"], {}), **account.get("totals", {}), **account, **top}
        yield [values.get(name) for name in _COLUMNS]
