"""`responses.jsonl`: one line per account, appended and synced as answers arrive, rewritten to drop replaced lines."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import click

from .folder import PACKAGE, RESPONSES, Folder
from .record import NotARecordError, Record

_BEGINNING: Final = b'{"username":"'


class ForeignLineError(Exception):
    """A line that is not a record, by its number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} of {RESPONSES} is not a record of this program")


class Journal:
    """The records of a data set."""

    def __init__(self, folder: Folder) -> None:
        """Read the file, which may have been edited by hand. Raises `ForeignLineError` and `OSError`."""
        self._folder = folder
        self._records: dict[str, Record] = {}
        content = folder.read(RESPONSES) or b""
        self._stored = bytearray(content)
        self._interrupted = 0
        # Split as bytes: in text U+2028 ends a line too. A power failure can leave NUL bytes at the end.
        lines = [line.strip(b" \t\0") for line in content.removeprefix(codecs.BOM_UTF8).splitlines()]
        last = max((number for number, line in enumerate(lines, 1) if line), default=0)
        for number, line in enumerate(lines, 1):
            try:
                if line:
                    self._add(Record.read(line.decode("utf-8")))
            except (NotARecordError, UnicodeDecodeError):
                if number != last or not self._is_interrupted(line):
                    raise ForeignLineError(number) from None
                self._interrupted = number

    @property
    def records(self) -> Mapping[str, Record]:
        """The valid record of each account, by its key."""
        return self._records

    def append(self, records: Sequence[Record]) -> None:
        """Add lines; they are on the disk when this returns. Raises `OSError` with the file as it was."""
        content = _content(records)
        self._folder.append(RESPONSES, content, size=len(self._stored))
        self._stored += content
        for record in records:
            self._add(record)

    def tidy(self, keys: Iterable[str]) -> None:
        """Rewrite the file, if necessary, to one line for each of these accounts, in this order."""
        self._records = {key: self._records[key] for key in keys if key in self._records}
        content = self.content()
        if content == bytes(self._stored):
            return
        if self._interrupted:
            click.echo(f"Note: line {self._interrupted} of {RESPONSES} was not complete and is dropped.", err=True)
            self._interrupted = 0
        self._folder.delete(PACKAGE)
        self._folder.replace(RESPONSES, content)
        self._stored = bytearray(content)

    def content(self) -> bytes:
        """The file as `tidy` writes it."""
        return _content(self._records.values())

    def _add(self, record: Record) -> None:
        before = self._records.get(record.key)
        # A temporary failure does not replace an answer.
        if record.final or before is None or not before.final:
            self._records[record.key] = record

    def _is_interrupted(self, line: bytes) -> bool:
        """Whether the last line is an interrupted write: JSON that is not complete."""
        try:
            json.JSONDecoder().raw_decode(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            # Without a record before it, the file may be something else.
            return bool(self._records) or _BEGINNING.startswith(line.replace(b" ", b"")[: len(_BEGINNING)])
        return False


def _content(records: Iterable[Record]) -> bytes:
    return "".join(f"{record.line}\n" for record in records).encode("utf-8")
