"""The folder of a data set: one run at a time, and each file whole or absent, on any file system."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

import click

RESPONSES: Final = "responses.jsonl"
VIDEOS: Final = "videos.csv"
ACCOUNTS: Final = "accounts.csv"
PACKAGE: Final = "datapackage.json"
_UNFINISHED: Final = ".unfinished"
_PROBE: Final = 256 * 1024
"""Bytes written before any request, to find a full disk or a folder without write permission."""
_UNSUPPORTED: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_LOCKS: Final = "cannot lock files: do not run two commands in this folder at the same time."
_NO_SYNC: Final = "cannot confirm that data is on the disk: after a power failure the last answers may be missing."


class UnusableError(Exception):
    """Why the data set cannot be created or updated, and what to do."""


class Folder:
    """The file operations of a data set. What the file system cannot guarantee is written to stderr once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._notices: set[str] = set()

    def read(self, name: str) -> bytes | None:
        """A file's content; None if it does not exist."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def probe(self) -> None:
        """Raise `OSError` if the folder, or a file of the data set in it, cannot be written."""
        with self._written(RESPONSES, os.urandom(_PROBE)):
            pass
        for name in (RESPONSES, VIDEOS, ACCOUNTS, PACKAGE):
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).open("r+b").close()

    def replace(self, name: str, content: bytes) -> None:
        """Write the whole file; a failure (`OSError`) leaves the old one."""
        self._delete_package()
        with self._written(name, content) as unfinished:
            unfinished.replace(self.path / name)
        self._sync_names()

    def append(self, name: str, content: bytes) -> None:
        """Add to a file and sync it; a failure (`OSError`) leaves it as it was."""
        self._delete_package()
        with (self.path / name).open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                self._store(file.fileno(), content)
            except BaseException:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the folder's lock, which ends with the process at the latest. Raises `UnusableError` and `OSError`."""
        path = self.path / ".lock"
        busy = UnusableError("another run is using this folder. Wait until it ends.")
        with path.open("wb") as lock:
            try:
                _lock(lock.fileno())
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise busy from None
                self._notice(_NO_LOCKS)
            # The run before may have deleted the file after it was opened here.
            if os.name == "posix" and not (path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat())):
                raise busy
            for unfinished in self.path.glob(f".*{_UNFINISHED}"):  # of a run that was killed
                unfinished.unlink()
            try:
                yield
            finally:
                if os.name == "posix":  # Windows cannot delete an open file; there it stays
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, name: str, content: bytes) -> Generator[Path]:
        """A complete temporary file, which is deleted at the end unless it was moved."""
        path = self.path / f".{name}{_UNFINISHED}"
        try:
            with path.open("wb", buffering=0) as file:
                self._store(file.fileno(), content)
            yield path
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _delete_package(self) -> None:
        """Delete the package before a file that it describes changes."""
        if (self.path / PACKAGE).exists():
            (self.path / PACKAGE).unlink()
            self._sync_names()

    def _store(self, handle: int, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            self._notice(_NO_SYNC)

    def _sync_names(self) -> None:
        """Sync the folder itself, so that a renamed file survives a power failure; Windows has no such call."""
        if os.name != "posix":
            return
        try:
            handle = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError:
            self._notice(_NO_SYNC)

    def _notice(self, what: str) -> None:
        if what not in self._notices:
            self._notices.add(what)
            click.echo(f"Note: the file system of {self.path} {what}", err=True)


def _lock(handle: int) -> None:
    """Lock an open file for this process, without waiting."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
