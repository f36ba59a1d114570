"""`compare`: accounts ranked by one measure, on a terminal or in a script."""

from __future__ import annotations

import json
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
from .outcomes import failure, provenance, result_of, say_failure
from .rows import written
from .signals import INTERRUPTED
from .streams import require_stdout

FORMATS: Final = ("table", "text", "json", "csv", "html")
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
    """Print one ranking of all accounts; ends the process with the documented status."""
    names = distinct(names_written(usernames, source, column))
    if len(names) < 2:
        stop("compare takes two accounts or more. Try: tiktok-pinned-videos-mcp compare nasa esa --sandbox")
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
            say_failure(outcome)
    match output:
        case "csv":
            click.echo(written([_COLUMNS, *_rows(outcomes, measure)]), nl=False)
        case "json":
            click.echo(json.dumps(_result(outcomes, measure), ensure_ascii=False, indent=2))
        case "table":
            from .cards import Cards

            Cards().ranking(_result(outcomes, measure, whole=False))
        case "html":
            from tiktok_pinned_videos.presentation.view import page

            results = [_result(outcomes, measure)] if answered else [failure(outcome) for outcome in outcomes]
            click.echo(page(results), nl=False)
        case _:
            if answered:
                click.echo(comparison_text(compared(outcomes, measure)))


def _result(outcomes: Sequence[Outcome[Answer]], measure: Measure, *, whole: bool = True) -> dict[str, Any]:
    """The structured result, its texts `whole` or clipped; without any answer, that each account failed."""
    if any(outcome.answer for outcome in outcomes):
        return compared(outcomes, measure, whole=whole).as_json()
    return {"rank_by": measure, "accounts": [failure(outcome) for outcome in outcomes], "notes": []}


def _rows(outcomes: Sequence[Outcome[Answer]], measure: Measure) -> list[list[Any]]:
    by_name = {outcome.username: outcome for outcome in outcomes}
    rows: list[list[Any]] = []
    for account in _result(outcomes, measure)["accounts"]:
        outcome = by_name[account["username"]]
        origin = provenance(outcome) if outcome.answer is None else result_of(outcome)
        totals = account.get("totals", {})
        rows.append([
            *(account.get(name) for name in ("rank", "username", "status", "reason")),
            totals.get("videos"),
            *(totals.get(name) for name in MEASURES),
            account.get("top_video", {}).get("id"),
            origin.get("source"),
            account.get("retrieved_at"),
            origin.get("log_id"),
        ])  # fmt: skip
    return rows
