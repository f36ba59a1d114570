"""The files of a data set on a disk that may be full, under a process that may be killed: each whole, or not there.

Knows names, bytes and order; nothing of what is in them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

RESPONSES: Final = "responses.jsonl"
VIDEOS: Final = "videos.csv"
ACCOUNTS: Final = "accounts.csv"
PACKAGE: Final = "datapackage.json"
NAMES: Final = (RESPONSES, VIDEOS, ACCOUNTS, PACKAGE)


class Folder:
    """The folder of one data set. Whoever changes it holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def visible(self) -> list[str]:
        """What lies here; hidden files are ours, the system's or an editor's."""
        return sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """A file's content, None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def clean_up(self) -> None:
        """Remove what a killed run has left half written."""
        for name in NAMES:
            self._unfinished(name).unlink(missing_ok=True)

    def replace(self, name: str, content: bytes) -> None:
        """The whole file or the old one, whatever happens meanwhile."""
        unfinished = self._unfinished(name)
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path / name)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        self._sync()

    def retract(self) -> None:
        """From here on the package would be untrue: away with it, before anything else changes."""
        (self.path / PACKAGE).unlink(missing_ok=True)
        self._sync()

    def publish(self, tables: Mapping[str, bytes], package: bytes) -> None:
        """Tables first, the package that vouches for them last; nothing is touched where all of it is there already."""
        wanted = {**tables, PACKAGE: package}
        if all(self.read(name) == content for name, content in wanted.items()):
            return
        self.retract()
        for name, content in wanted.items():
            if name == PACKAGE or self.read(name) != content:
                self.replace(name, content)

    def _unfinished(self, name: str) -> Path:
        return self.path / f".{name}.unfinished"

    def _sync(self) -> None:
        # A name is only as safe as its folder's entry; Windows has no way to say so.
        if os.name == "posix":
            handle = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
