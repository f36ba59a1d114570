"""The formats of `get`. Each prints failures too, so that none looks like an empty answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import click

from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.presentation.text import account_text
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.client import Fetched
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

from .outcomes import failure, print_failure, provenance, raw_line, result_of
from .rows import ABOUT_ACCOUNT, columns, video_rows, written


class Printer:
    """Prints outcomes in the order in which they are given. `alone`: one username, as an argument."""

    raw: ClassVar[bool] = False
    """Whether it needs TikTok's body."""

    def __init__(self, fields: tuple[str, ...], *, alone: bool) -> None:
        self.fields = fields
        self.alone = alone
        self.first = True

    def write(self, outcome: Outcome[Any]) -> None:
        """Print one account."""
        self.print(outcome)
        self.first = False

    def print(self, outcome: Outcome[Any]) -> None:
        """Print one account."""
        raise NotImplementedError

    def finish(self) -> None:
        """Print what follows the last account."""


class _Text(Printer):
    def print(self, outcome: Outcome[Answer]) -> None:
        print_failure(outcome)
        if outcome.answer is not None:
            click.echo(("" if self.first else "\n") + account_text(account_answer(outcome.answer)))


class _Table(Printer):
    def print(self, outcome: Outcome[Answer]) -> None:
        from .terminal import print_account

        if not self.first:
            click.echo()
        print_account(result_of(outcome), self.fields, now=time.time())


class _JSON(Printer):
    """An array is printed as it grows, so that an interruption loses nothing."""

    def print(self, outcome: Outcome[Answer]) -> None:
        text = json.dumps(result_of(outcome), ensure_ascii=False, indent=2)
        click.echo(text if self.alone else ("[\n" if self.first else ",\n") + text, nl=self.alone)

    def finish(self) -> None:
        if not self.alone:
            click.echo("[]" if self.first else "\n]")


class _JSONLines(Printer):
    def print(self, outcome: Outcome[Answer]) -> None:
        click.echo(json.dumps(result_of(outcome), ensure_ascii=False, separators=(",", ":")))


class _Raw(Printer):
    raw = True

    def print(self, outcome: Outcome[Fetched]) -> None:
        click.echo(raw_line(outcome, failed_at=time.time()))


class _CSV(Printer):
    """One row per video, and one for an account without videos. Failures have a reason."""

    def __init__(self, fields: tuple[str, ...], *, alone: bool) -> None:
        super().__init__(fields, alone=alone)
        self._blank = [None] * (len(columns(fields)) - len(ABOUT_ACCOUNT))
        click.echo(written([[*columns(fields), "reason"]]), nl=False)

    def print(self, outcome: Outcome[Answer]) -> None:
        if outcome.answer is None:
            print_failure(outcome)
            origin = provenance(outcome)
            received = {"retrieved_at": iso(time.time())} if origin else {}
            failed = {**failure(outcome), **origin, **received}
            rows = [[*self._about(failed), failed["reason"]]]
        else:
            result = result_of(outcome)
            rows = [[*row, None] for row in video_rows(result, self.fields)] or [[*self._about(result), None]]
        click.echo(written(rows), nl=False)

    def _about(self, result: Mapping[str, Any]) -> list[Any]:
        return [*(result.get(name) for name in ABOUT_ACCOUNT), *self._blank]


class _HTML(Printer):
    def __init__(self, fields: tuple[str, ...], *, alone: bool) -> None:
        super().__init__(fields, alone=alone)
        self._results: list[dict[str, Any]] = []

    def print(self, outcome: Outcome[Answer]) -> None:
        self._results.append(result_of(outcome))

    def finish(self) -> None:
        from tiktok_pinned_videos.presentation.view import page

        click.echo(page(self._results), nl=False)


PRINTERS: Final[Mapping[str, Callable[..., Printer]]] = {
    "table": _Table,
    "text": _Text,
    "json": _JSON,
    "jsonl": _JSONLines,
    "csv": _CSV,
    "raw": _Raw,
    "html": _HTML,
}
