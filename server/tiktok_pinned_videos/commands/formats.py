"""The ways `get` prints answers. A failure is printed in each of them, and never looks like an empty answer."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

import click

from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.presentation.text import account_text
from tiktok_pinned_videos.research.client import Fetched
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

from .outcomes import failure, provenance, raw_line, result_of, say_failure
from .rows import ABOUT_ACCOUNT, columns, video_rows, written

FORMATS: Final = ("table", "text", "json", "jsonl", "csv", "raw", "html")


class Printer(Protocol):
    """Prints outcomes in the order they are given."""

    raw: bool
    """Whether it wants TikTok's body instead of an answer."""

    def write(self, outcome: Outcome[Any]) -> None:
        """One account."""
        ...

    def finish(self) -> None:
        """After the last."""
        ...


def printer_for(output: str, fields: tuple[str, ...], *, alone: bool) -> Printer:  # noqa: PLR0911 - one each
    """The printer of a `--format`. `alone`: there is one account, so JSON needs no array."""
    match output:
        case "table":
            return _Table()
        case "json":
            return _JSON(alone=alone)
        case "jsonl":
            return _JSONLines()
        case "csv":
            return _CSV(fields)
        case "raw":
            return _Raw()
        case "html":
            return _HTML()
        case _:
            return _Text()


class _Text:
    raw = False

    def __init__(self) -> None:
        self._first = True

    def write(self, outcome: Outcome[Answer]) -> None:
        say_failure(outcome)
        if outcome.answer is not None:
            click.echo(("" if self._first else "\n") + account_text(account_answer(outcome.answer)))
            self._first = False

    def finish(self) -> None:
        pass


class _Table:
    raw = False

    def __init__(self) -> None:
        from .cards import Cards

        self._cards = Cards()

    def write(self, outcome: Outcome[Answer]) -> None:
        self._cards.account(result_of(outcome, whole=False))

    def finish(self) -> None:
        pass


class _JSON:
    raw = False

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._first = True

    def write(self, outcome: Outcome[Answer]) -> None:
        text = json.dumps(result_of(outcome), ensure_ascii=False, indent=2)
        if self._alone:
            click.echo(text)
            return
        # An array as it grows: what was answered is out, whatever becomes of the rest.
        click.echo(("[\n" if self._first else ",\n") + text, nl=False)
        self._first = False

    def finish(self) -> None:
        if not self._alone:
            click.echo("[]" if self._first else "\n]")


class _JSONLines:
    raw = False

    def write(self, outcome: Outcome[Answer]) -> None:
        click.echo(json.dumps(result_of(outcome), ensure_ascii=False, separators=(",", ":")))

    def finish(self) -> None:
        pass


class _Raw:
    raw = True

    def write(self, outcome: Outcome[Fetched]) -> None:
        click.echo(raw_line(outcome))

    def finish(self) -> None:
        pass


class _CSV:
    raw = False

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._blank = [None] * (len(columns(fields)) - len(ABOUT_ACCOUNT))
        click.echo(written([columns(fields)]), nl=False)

    def write(self, outcome: Outcome[Answer]) -> None:
        say_failure(outcome)
        result = result_of(outcome)
        failed = outcome.answer is None
        about = {**failure(outcome), **provenance(outcome)} if failed else result
        rows = [] if failed else video_rows(result, self._fields)
        # An account without videos has a row all the same.
        rows = rows or [[*(about.get(name) for name in ABOUT_ACCOUNT), *self._blank]]
        click.echo(written(rows), nl=False)

    def finish(self) -> None:
        pass


class _HTML:
    raw = False

    def __init__(self) -> None:
        self._results: list[dict[str, Any]] = []

    def write(self, outcome: Outcome[Answer]) -> None:
        self._results.append(result_of(outcome))

    def finish(self) -> None:
        from tiktok_pinned_videos.presentation.view import page

        click.echo(page(self._results), nl=False)
