"""The formats of `get`, and the parts that the other commands share. A failure never looks like an empty answer."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, cast

import click

from tiktok_pinned_videos.presentation.results import account_answer, source_of
from tiktok_pinned_videos.presentation.text import account_text, failure_text, reason
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.client import Fetched
from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.research.wire import no_constant
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

from .rows import columns, rows_of, written


class Printer:
    """Prints outcomes in the order of `names`, each as soon as those before it have come.

    `alone`: one username, as an argument; its JSON is an object, not an array.
    """

    def __init__(self, output: str, names: Sequence[str], fields: tuple[str, ...], *, alone: bool) -> None:
        self._output = output
        self._fields = fields
        self._alone = alone
        self._left = dict.fromkeys(names)
        self._waiting: dict[str, Outcome[Any]] = {}
        self._first = True
        self._results: list[dict[str, Any]] = []
        if output == "csv":
            click.echo(written([columns(fields)]), nl=False)

    def take(self, outcome: Outcome[Any]) -> None:
        """Take one more outcome."""
        self._waiting[outcome.username] = outcome
        while (name := next(iter(self._left), None)) in self._waiting:
            del self._left[name]
            self._print(self._waiting.pop(name))

    def finish(self) -> None:
        """Print what still waits for an account that was not asked for, and what follows the last account."""
        for name in self._left:
            if name in self._waiting:
                self._print(self._waiting.pop(name))
        if self._output == "json" and not self._alone:
            click.echo("[]" if self._first else "\n]")
        elif self._output == "html":
            from tiktok_pinned_videos.presentation.view import page

            click.echo(page(self._results), nl=False)

    def _print(self, outcome: Outcome[Any]) -> None:
        match self._output:
            case "raw":
                click.echo(raw_line(outcome))
            case "jsonl":
                click.echo(json.dumps(result_of(outcome), ensure_ascii=False, separators=(",", ":")))
            case "json":
                # An array is printed as it grows, so that an interruption loses nothing.
                text = json.dumps(result_of(outcome), ensure_ascii=False, indent=2)
                click.echo(text if self._alone else ("[\n" if self._first else ",\n") + text, nl=self._alone)
            case "csv":
                print_failure(outcome)
                click.echo(written(rows_of(result_of(outcome) | origin(outcome), self._fields)), nl=False)
            case "html":
                self._results.append(result_of(outcome))
            case "table":
                from .terminal import print_account

                click.echo(nl=not self._first)
                print_account(result_of(outcome), self._fields)
            case _:
                print_failure(outcome)
                if outcome.answer is not None:
                    click.echo(("" if self._first else "\n") + account_text(account_answer(outcome.answer)))
        self._first = False


def result_of(outcome: Outcome[Answer]) -> dict[str, Any]:
    """Return the structured result with unclipped texts, or the failure."""
    return failure(outcome) if outcome.answer is None else dict(account_answer(outcome.answer, whole=True))


def failure(outcome: Outcome[Any]) -> dict[str, str]:
    """Return `username`, `status` and `reason` of an account that failed."""
    error = cast("TikTokError", outcome.error)
    return {"username": outcome.username, "status": str(error.status), "reason": reason(error)}


def origin(outcome: Outcome[Any]) -> dict[str, str]:
    """Return source, time (now) and `log_id` of a failure; empty if no response was received."""
    error = outcome.error
    if error is None or (error.status_code is None and not error.sandbox):
        return {}
    log_id = {"log_id": error.log_id} if error.log_id else {}
    return {"source": source_of(sandbox=error.sandbox), "retrieved_at": iso(time.time()), **log_id}


def print_failure(outcome: Outcome[Any]) -> None:
    """Print a failure as one line on stderr."""
    if outcome.error is not None:
        click.echo(failure_text(clean(outcome.username), outcome.error.status, reason(outcome.error)), err=True)


def raw_line(outcome: Outcome[Fetched], *, body: bool = True) -> str:
    """Return one line of JSON with TikTok's body as it came; `body`: also that of a failure, if it is JSON."""
    if (answer := outcome.answer) is None:
        error = cast("TikTokError", outcome.error)
        head: dict[str, Any] = {**failure(outcome), "retrieved_at": iso(time.time())}
        head |= {"code": error.code} if error.code else {}
        return _with_body(head | origin(outcome), error.body if body else b"")
    snapshot = answer.snapshot
    head = {
        "username": snapshot.username,
        "retrieved_at": iso(snapshot.retrieved_at),
        "log_id": snapshot.log_id,
        "fields": list(snapshot.fields),
    }
    return _with_body(head | ({"source": source_of(sandbox=True)} if snapshot.sandbox else {}), answer.body)


def _with_body(head: dict[str, Any], content: bytes) -> str:
    """The line, with a body that is JSON digit for digit; only line breaks between values become spaces."""
    opened = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    try:
        body = content.decode("utf-8-sig")
        # A number may have any number of digits.
        json.loads(body, parse_int=str, parse_float=str, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return opened
    return f'{opened[:-1]},"response":{body.translate({10: " ", 13: " "}).strip()}}}'
