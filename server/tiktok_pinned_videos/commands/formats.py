"""The ways `get` prints answers. A failure is printed in each of them, and never looks like an empty answer."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final, Protocol, cast

import click

from tiktok_pinned_videos.accounts.many import Outcome
from tiktok_pinned_videos.accounts.service import Answer
from tiktok_pinned_videos.research.client import Fetched
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.surface.answers import account_answer, source_of
from tiktok_pinned_videos.surface.times import iso
from tiktok_pinned_videos.surface.words import account_text, cell, error_text, reason

_ABOUT_ACCOUNT: Final = ("username", "status", "source", "retrieved_at", "log_id", "url")


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


def printer_for(output: str, fields: tuple[str, ...], *, alone: bool) -> Printer:
    """The printer of a `--format`. `alone`: there is one account, so JSON needs no array."""
    match output:
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
        if outcome.error is not None:
            _say_failure(outcome)
        if outcome.answer is not None:
            click.echo(("" if self._first else "\n") + account_text(account_answer(outcome.answer)))
            self._first = False

    def finish(self) -> None:
        pass


class _JSON:
    raw = False

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._first = True

    def write(self, outcome: Outcome[Answer]) -> None:
        text = json.dumps(_data(outcome), ensure_ascii=False, indent=2)
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
        click.echo(json.dumps(_data(outcome), ensure_ascii=False, separators=(",", ":")))

    def finish(self) -> None:
        pass


class _Raw:
    raw = True

    def write(self, outcome: Outcome[Fetched]) -> None:
        if outcome.answer is None:
            self._line({**_failure(outcome), **_provenance(outcome)}, _json_or_nothing(outcome))
            return
        snapshot = outcome.answer.snapshot
        head = {
            "username": snapshot.username,
            "retrieved_at": iso(snapshot.retrieved_at),
            "log_id": snapshot.log_id,
            "fields": list(snapshot.fields),
        }
        self._line(head, outcome.answer.body)

    def finish(self) -> None:
        pass

    def _line(self, head: dict[str, Any], content: bytes) -> None:
        opened = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
        if not content:
            click.echo(opened)
            return
        # TikTok's body stays as it came, digit for digit; only line breaks between its values go, to stay on one line.
        # Read as the parser reads it: another Unicode encoding, a byte order mark or half a character is no surprise.
        body = content.decode(json.detect_encoding(content), "surrogatepass").translate({10: " ", 13: " "}).strip()
        click.echo(f'{opened[:-1]},"response":{body}}}')


class _CSV:
    raw = False

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._line((*_ABOUT_ACCOUNT, *fields))

    def write(self, outcome: Outcome[Answer]) -> None:
        if outcome.answer is None:
            _say_failure(outcome)
            about = {**_failure(outcome), **_provenance(outcome)}
            self._line([_csv_cell(about.get(name)) for name in _ABOUT_ACCOUNT])
            return
        told = account_answer(outcome.answer).as_json()
        about = [_csv_cell(told.get(name)) for name in _ABOUT_ACCOUNT[:-1]]
        if not told["videos"]:
            self._line(about)
        for video in told["videos"]:
            self._line([*about, video["url"], *(_csv_cell(video.get(name)) for name in self._fields)])

    def finish(self) -> None:
        pass

    def _line(self, values: Any) -> None:
        line = io.StringIO()
        row = [*values, *[""] * (len(_ABOUT_ACCOUNT) + len(self._fields) - len(values))]
        csv.writer(line, lineterminator="\n").writerow(row)
        click.echo(line.getvalue(), nl=False)


class _HTML:
    raw = False

    def __init__(self) -> None:
        self._results: list[dict[str, Any]] = []

    def write(self, outcome: Outcome[Answer]) -> None:
        if outcome.answer is None:
            self._results.append(_failure(outcome))
        else:
            self._results.append(account_answer(outcome.answer, whole=True).as_json())

    def finish(self) -> None:
        from tiktok_pinned_videos.surface.view import page  # noqa: PLC0415 - only this format pays for it

        click.echo(page(self._results), nl=False)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        items = cast("list[object]", value)
        names = [item for item in items if isinstance(item, str) and " " not in item]
        return _csv_text(" ".join(names)) if len(names) == len(items) else cell(value)
    return _csv_text(value) if isinstance(value, str) else cell(value)


def _csv_text(text: str) -> str:
    # A text that begins like a formula would be run as one by a spreadsheet.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _data(outcome: Outcome[Answer]) -> dict[str, Any]:
    return _failure(outcome) if outcome.answer is None else account_answer(outcome.answer).as_json()


def _say_failure(outcome: Outcome[Any]) -> None:
    if outcome.error is not None:
        # What can be no name is shown as far as a terminal can show it.
        name = clean(outcome.username)
        about = "" if f"@{name}" in outcome.error.what else f"@{name}: "
        click.echo(about + error_text(outcome.error), err=True)


def _provenance(outcome: Outcome[Any]) -> dict[str, str]:
    """Where a failure came from, as far as somebody answered."""
    error = outcome.error
    if error is None or (error.status_code is None and not error.sandbox):
        return {}
    return {"source": source_of(sandbox=error.sandbox)} | ({"log_id": error.log_id} if error.log_id else {})


def _json_or_nothing(outcome: Outcome[Any]) -> bytes:
    """The body behind a failure, if it fits into a line of JSON: an HTML page does not."""
    body = outcome.error.body if outcome.error is not None else b""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return b""
    return body


def _failure(outcome: Outcome[Any]) -> dict[str, str]:
    error = outcome.error
    if error is None:
        raise ValueError("an outcome has an answer or an error")
    return {"username": outcome.username, "status": str(error.status), "reason": reason(error)}
