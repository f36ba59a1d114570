"""`responses.jsonl`: appended and synced as each answer arrives, rewritten whole when a line has a successor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import Final

from .folder import RESPONSES, Folder
from .record import ForeignLineError, Record

_BEGINNING: Final = b'{"username":"'


class Journal:
    """The lines of a data set, the one that counts for each account by its key."""

    def __init__(self, folder: Folder) -> None:
        """Read what is there; a last line that was cut off by a kill is cut away. Raises `ForeignLineError`."""
        self._folder = folder
        self.records: dict[str, Record] = {}
        content = folder.read(RESPONSES) or b""
        whole, newline, torn = content.rpartition(b"\n")
        self._size = len(whole) + len(newline)
        if not _BEGINNING.startswith(torn[: len(_BEGINNING)]):
            raise ForeignLineError
        self._torn = bool(torn)
        try:
            self._lines = (whole + newline).decode("utf-8").split("\n")[:-1]
        except UnicodeDecodeError:
            raise ForeignLineError from None
        for line in self._lines:
            self._take(Record.read(line))

    def append(self, records: Sequence[Record]) -> None:
        """Safe on the disk when this returns. Raises `OSError` with the file as it was."""
        path = self._folder.path / RESPONSES
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if self._torn:
                os.ftruncate(handle, self._size)
                self._torn = False
            content = "".join(f"{record.line}\n" for record in records).encode("utf-8")
            try:
                _write(handle, content)
                os.fsync(handle)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, self._size)
                raise
        finally:
            os.close(handle)
        self._size += len(content)
        for record in records:
            self._lines.append(record.line)
            self._take(record)

    def tidy(self, order: Iterable[str], *, dropped: Iterable[str] = ()) -> None:
        """One line an account: those there before in their order, then by the keys in `order`; without `dropped`."""
        for key in dropped:
            self.records.pop(key, None)
        places = {key: place for place, key in enumerate(order)}
        old = [key for key in self.records if key not in places]
        new = sorted((key for key in self.records if key in places), key=places.__getitem__)
        self.records = {key: self.records[key] for key in (*old, *new)}
        lines = [record.line for record in self.records.values()]
        if lines != self._lines or self._torn:
            self._folder.retract()
            self._folder.replace(RESPONSES, self._content(lines))
            self._lines, self._torn = lines, False
            self._size = len(self._content(lines))

    def content(self) -> bytes:
        """The file as it should be."""
        return self._content(self._lines)

    @staticmethod
    def _content(lines: Iterable[str]) -> bytes:
        return "".join(f"{line}\n" for line in lines).encode("utf-8")

    def _take(self, record: Record) -> None:
        before = self.records.get(record.key)
        # A failure that may pass takes nothing away from what is known.
        if record.lasting or before is None or not before.lasting:
            self.records[record.key] = record


def _write(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
