"""An SQLite database that heals: a file that was deleted, replaced or damaged under a running process is opened again.

A damaged file of ours is moved aside first. What has expired or was deleted is overwritten, in the write-ahead log too.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from .base import StateStoreError

MAX_WAIT: Final = 2.0
"""Seconds that an operation may wait for other processes."""
MAX_ENTRIES: Final = 20_000
"""In memory; of more, those that expire soonest are dropped."""
_DAMAGED_KEPT: Final = 86_400.0
_APPLICATION_ID: Final = 0x54545056
"""`TTPV`: marks our files."""
_SCHEMA_VERSION: Final = 3
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS entries "
    "(key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS counters "
    "(key TEXT, owner TEXT, value INTEGER NOT NULL, expires_at REAL NOT NULL, PRIMARY KEY (key, owner)) WITHOUT ROWID",
)

R = TypeVar("R")


class Database:
    """The file `path`, or memory; used by one thread at a time."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._file: sqlite3.Connection | None = None
        self._signature: tuple[int, ...] = ()
        self._was_ours = False
        self._failed_at = 0.0
        self._failure = ""

    def run(self, operation: Callable[[sqlite3.Connection], R], asked_at: float, *, writes: bool, erases: bool) -> R:
        """Run one transaction, asked for at a moment of `time.monotonic`. Raises `StateStoreError`."""
        if asked_at < self._failed_at:  # it would wait for the same lock as the operation before, and so on
            raise StateStoreError(self._failure)
        deadline = time.monotonic() + MAX_WAIT
        attempt = 0
        while True:
            attempt += 1
            try:
                file = self._opened(deadline)
                with file:  # commits, or rolls back after a failure
                    if writes:
                        file.execute("BEGIN IMMEDIATE")
                    result = operation(file)
                if erases:
                    self._empty_log(file, damaged_before=self._clock())
            except Exception as error:  # whatever it was, no lock may stay taken
                self.close()
                if attempt < 3 and self._may_heal(error, last=attempt == 2):
                    continue
                text = error.strerror if isinstance(error, OSError) else None
                self._failed_at, self._failure = time.monotonic(), text or str(error) or type(error).__name__
                raise StateStoreError(self._failure) from error
            else:
                return result

    def purge(self) -> None:
        """Overwrite what has expired. After an error the next purge tries again."""
        file, now = self._file, self._clock()
        if file is None:
            return
        with suppress(sqlite3.Error):
            file.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
            file.execute("DELETE FROM counters WHERE expires_at <= ?", (now,))
            (count,) = file.execute("SELECT count(*) FROM entries").fetchone()
            if self._path is None and count > MAX_ENTRIES:
                # Values of a few bytes, such as leases, have to live until they expire.
                query = "SELECT key FROM entries WHERE length(value) > 64 ORDER BY expires_at LIMIT ?"
                file.execute(f"DELETE FROM entries WHERE key IN ({query})", (count - MAX_ENTRIES,))  # noqa: S608 - no input
            self._empty_log(file, damaged_before=now - _DAMAGED_KEPT)

    def close(self) -> None:
        """Close the file; the next operation opens it again."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()

    def _opened(self, deadline: float) -> sqlite3.Connection:
        path = self._path
        if path is not None and _signature(path) != self._signature:
            # Deleted, replaced or overwritten; or another process has emptied the write-ahead log.
            self.close()
        if self._file is not None:
            return _with_patience(self._file, deadline)
        if path is not None:
            _prepare(path)
            self._signature = _signature(path)
        self._file = file = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        _with_patience(file, deadline)
        # What was deleted is overwritten and not only marked as free.
        file.execute("PRAGMA secure_delete = ON")
        _check_or_create(file)
        # In this mode readers and the writer do not wait for each other; some file systems do not have it.
        with suppress(sqlite3.OperationalError):
            file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        if not self._was_ours:
            self.purge()
        self._was_ours = True
        self._signature = _signature(path) if path is not None else ()
        return _with_patience(file, deadline)

    def _empty_log(self, file: sqlite3.Connection, *, damaged_before: float) -> None:
        """Empty the write-ahead log, and delete a damaged file that was moved aside before a moment."""
        if self._path is not None:
            # Another process may be reading, or have the file open; the next purge tries again.
            with suppress(sqlite3.OperationalError, OSError):
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                damaged = _beside(self._path, ".damaged")
                if damaged.exists() and damaged.stat().st_mtime < damaged_before:
                    damaged.unlink()

    def _may_heal(self, error: Exception, *, last: bool) -> bool:
        """Whether to open the file once more; before the last time a damaged one of ours is moved aside."""
        path, seen = self._path, self._signature
        if path is None:
            return False
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _signature(path) != seen
        # Another process may have replaced it already.
        if last and _signature(path)[:2] == seen[:2]:
            if not self._was_ours and not _is_ours(path):
                return False
            path.replace(_beside(path, ".damaged"))
        return True


def _with_patience(file: sqlite3.Connection, deadline: float) -> sqlite3.Connection:
    """Let statements wait for other processes until the deadline, and not longer."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise StateStoreError("busy for too long")
    file.execute(f"PRAGMA busy_timeout = {int(left * 1000) + 1}")
    return file


def _check_or_create(file: sqlite3.Connection) -> None:
    """Create our tables in an empty file, or in one of an older layout, whose data is deleted.

    Raises `StateStoreError` for a file that is not ours to use, and leaves it as it is.
    """
    # Locked, or the answers could be from before and after another process created it.
    file.execute("BEGIN IMMEDIATE")
    owner, version = (file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    if owner != _APPLICATION_ID and (owner or version or tables):
        raise StateStoreError("the file belongs to another program")
    if version > _SCHEMA_VERSION:
        raise StateStoreError(f"the file was written by a newer version of this program (schema {version})")
    if version < _SCHEMA_VERSION:
        for table in tables:
            file.execute(f'DROP TABLE "{table}"')
        file.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    for table in _TABLES:
        file.execute(table)
    file.execute("COMMIT")


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _signature(path: Path) -> tuple[int, ...]:
    """Identify the file and its content as of the last checkpoint; () while it is missing."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _prepare(path: Path) -> None:
    """Create the file, for its owner only; remove or mend the files beside it."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    for beside in (_beside(path, "-wal"), _beside(path, "-shm")):
        if not path.exists():  # it was deleted, or moved aside
            beside.unlink(missing_ok=True)
        elif beside.exists() and not os.access(beside, os.R_OK | os.W_OK):
            with suppress(OSError):
                beside.chmod(0o600)
    # Only a new file is opened here: closing any handle of an existing one would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _is_ours(path: Path) -> bool:
    """Whether the header of a file says that this program wrote it."""
    with suppress(OSError), path.open("rb") as file:
        header = file.read(72)
        return header[:16] == b"SQLite format 3\0" and header[68:72] == _APPLICATION_ID.to_bytes(4, "big")
    return False
