"""`compare`: accounts ranked by one metric, on a terminal or in a script."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from tiktok_pinned_videos.presentation.comparison import MEASURES, Measure, compared, comparison_text
from tiktok_pinned_videos.research.fields import DEFAULT
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer
from tiktok_pinned_videos.settings import Settings

from . import stop
from .ask import ask_accounts, end, need_credentials
from .names import distinct, names_written
from .outcomes import failure, print_failure, provenance, result_of
from .rows import written
from .signals import INTERRUPTED
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
    names = distinct(names_written(usernames, source, column))
    if len(names) < 2:
        stop("compare needs two or more accounts. Try: tiktok-pinned-videos-mcp compare nasa esa --sandbox")
    need_credentials(settings)
    require_stdout()
    try:
        outcomes = ask_accounts(settings, names, DEFAULT, refresh=refresh, each=lambda _: None)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    _print(outcomes, rank_by, output)
    end(outcomes)


def _print(outcomes: Sequence[Outcome[Answer]], measure: Measure, output: str) -> None:
    answered = any(outcome.answer for outcome in outcomes)
    if output == "csv" or not answered:
        for outcome in outcomes:
            print_failure(outcome)
    match output:
        case "csv":
            click.echo(written([_COLUMNS, *_rows(outcomes, measure)]), nl=False)
        case "json":
            click.echo(json.dumps(_result(outcomes, measure), ensure_ascii=False, indent=2))
        case "table":
            from .terminal import print_comparison

            print_comparison(_result(outcomes, measure), now=time.time())
        case "html":
            from tiktok_pinned_videos.presentation.view import page

            click.echo(page([_result(outcomes, measure)] if answered else list(map(failure, outcomes))), nl=False)
        case _ if answered:
            click.echo(comparison_text(compared(outcomes, measure)))
        case _:
            pass


def _result(outcomes: Sequence[Outcome[Answer]], measure: Measure) -> dict[str, Any]:
    """Return the structured result with unclipped texts; without any answer, the failures."""
    if any(outcome.answer for outcome in outcomes):
        return compared(outcomes, measure, whole=True).as_json()
    return {"rank_by": measure, "accounts": [failure(outcome) for outcome in outcomes], "notes": []}


def _rows(outcomes: Sequence[Outcome[Answer]], measure: Measure) -> list[list[Any]]:
    by_name = {outcome.username: outcome for outcome in outcomes}
    rows: list[list[Any]] = []
    for account in _result(outcomes, measure)["accounts"]:
        outcome = by_name[account["username"]]
        origin = provenance(outcome) if outcome.answer is None else result_of(outcome)
        top = account.get("top_video", {}).get("id")
        values = {**origin, **account.get("totals", {}), **account, "top_video_id": top}
        rows.append([values.get(name) for name in _COLUMNS])
    return rows
