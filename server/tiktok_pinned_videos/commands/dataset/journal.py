"""`responses.jsonl`: one line per account, appended and synced as answers arrive, rewritten to drop replaced lines."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import click

from tiktok_pinned_videos.presentation.results import Source, account_answer, source_of
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.fields import BY_NAME
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.research.refusals import Reply
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.research.wire import parse_pinned_videos
from tiktok_pinned_videos.service.service import Answer

from ..names import key_of
from .folder import RESPONSES, Folder, UnusableError

SANDBOX: Final = source_of(sandbox=True)
FINAL: Final = frozenset({Status.NOT_FOUND, Status.REFUSED, Status.INVALID_ARGUMENT})
"""Failures that are final until they are older than `--max-age`."""
_BEGINNING: Final = b'{"username":"'
_RESPONSE: Final = re.compile(r'"response"\s*:\s*')
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
"""Does not read numbers: those in TikTok's body may have any number of digits."""


@dataclass(frozen=True)
class Record:
    """One line and its meaning. `retrieved_at` is in Unix seconds; for a failure it is when the failure happened."""

    line: str
    username: str
    retrieved_at: float
    source: Source | None
    """None for a failure without a response."""
    log_id: str | None
    fields: tuple[str, ...]
    """The requested fields; empty for a failure."""
    failure: tuple[Status, str] | None
    """Status and reason."""

    @classmethod
    def read(cls, line: str) -> Record:
        """Raises `ValueError` if the line is not a record. Spaces and the order of keys do not matter."""
        try:
            values: Any = _DECODER.decode(line)
            failure = (Status(values["status"]), values["reason"]) if "status" in values else None
            moment = datetime.fromisoformat(values["retrieved_at"])
            has_source = failure is None or "source" in values
            record = cls(
                line=line,
                username=values["username"],
                retrieved_at=(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(),
                source=source_of(sandbox=values.get("source") == SANDBOX) if has_source else None,
                log_id=clean(values.get("log_id") or "") or None,  # the file may have been edited by hand
                fields=tuple(values["fields"]) if failure is None else (),
                failure=failure,
            )
            texts = (record.username, failure[1] if failure else record.result["status"])
            is_valid = all(isinstance(text, str) for text in texts) and record.username.strip()
            if is_valid and 2000 <= moment.year <= 9000 and (failure or parse_username(record.username)):
                return record
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, TikTokError):
            pass
        raise ValueError("not a record")

    @property
    def status(self) -> str:
        """The status of the answer or the failure."""
        return self.failure[0] if self.failure else self.result["status"]

    @property
    def final(self) -> bool:
        """Whether the record is valid until it is too old: an answer, or a failure that would repeat."""
        return self.failure is None or self.failure[0] in FINAL

    @cached_property
    def result(self) -> dict[str, Any]:
        """The structured result of an answer, with unclipped texts."""
        # Digit for digit, wherever in the line it is.
        found = _RESPONSE.search(self.line)
        if found is None or not self.fields or not set(self.fields) <= BY_NAME.keys():
            raise ValueError("not a record")
        body = self.line[found.end() : _DECODER.raw_decode(self.line, found.end())[1]].encode("utf-8")
        sandbox = self.source == SANDBOX
        videos, _ = parse_pinned_videos(Reply(200, body, sandbox=sandbox), self.fields)
        snapshot = Snapshot(self.username, self.fields, videos, self.retrieved_at, self.log_id, sandbox)
        return dict(account_answer(Answer(snapshot, cached=False, requests=0), whole=True))


class Journal:
    """The records of a data set."""

    def __init__(self, folder: Folder) -> None:
        """Read the file, which may have been edited by hand. Raises `UnusableError` and `OSError`."""
        self._folder = folder
        self.records: dict[str, Record] = {}
        """The valid record of each account, by its key."""
        self.sources: set[Source] = set()
        self._interrupted = 0
        content = (folder.read(RESPONSES) or b"").removeprefix(codecs.BOM_UTF8)
        # Split as bytes: in text U+2028 ends a line too.
        lines = [(number, line.strip(b" \t")) for number, line in enumerate(content.splitlines(), 1)]
        lines = [(number, line) for number, line in lines if line]
        for number, line in lines:
            try:
                self._add(Record.read(line.decode("utf-8")))
            except ValueError:
                if number != lines[-1][0] or not self._is_interrupted(line):
                    raise UnusableError(
                        f"line {number} of {RESPONSES} is not a record of this program. Correct or delete the line, or "
                        "choose a new or empty folder."
                    ) from None
                self._interrupted = number

    def append(self, records: Sequence[Record]) -> None:
        """Add lines; they are on the disk when this returns. Raises `OSError` with the file as it was."""
        self._folder.append(RESPONSES, _content(records))
        for record in records:
            self._add(record)

    def tidy(self, keys: Iterable[str]) -> None:
        """Rewrite the file, if necessary, to one line for each of these accounts, in this order."""
        self.records = {key: self.records[key] for key in keys if key in self.records}
        if (self._folder.read(RESPONSES) or b"") == self.content():
            return
        if self._interrupted:
            click.echo(f"Note: line {self._interrupted} of {RESPONSES} was not complete and is dropped.", err=True)
            self._interrupted = 0
        self._folder.replace(RESPONSES, self.content())

    def content(self) -> bytes:
        """The file as `tidy` writes it."""
        return _content(self.records.values())

    def _add(self, record: Record) -> None:
        key = key_of(record.username)
        before = self.records.get(key)
        # A temporary failure does not replace an answer.
        if record.final or before is None or not before.final:
            self.records[key] = record
            self.sources |= {record.source} if record.source else set()

    def _is_interrupted(self, line: bytes) -> bool:
        """Whether the last line is an interrupted write: JSON that is not complete."""
        try:
            json.JSONDecoder().raw_decode(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            # Without a record before it, the file may be something else.
            return bool(self.records) or _BEGINNING.startswith(line.replace(b" ", b"")[: len(_BEGINNING)])
        return False


def _content(records: Iterable[Record]) -> bytes:
    return "".join(f"{record.line}\n" for record in records).encode("utf-8")
