"""An SQLite database that opens its file again after it was deleted, replaced or damaged under a running process.

A damaged file of this program is moved aside first. Expired and deleted values are overwritten, in the write-ahead log
too.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from .base import StateStoreError

MAX_WAIT: Final = 2.0
"""Seconds that an operation may wait for other processes."""
MAX_ENTRIES: Final = 20_000
"""The limit in memory; beyond it, the entries that expire soonest are dropped."""
_DAMAGED_KEPT: Final = 86_400.0
_APPLICATION_ID: Final = 0x54545056
"""`TTPV`: marks the files of this program."""
_SCHEMA_VERSION: Final = 3
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS entries "
    "(key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS counters "
    "(key TEXT, owner TEXT, value INTEGER NOT NULL, expires_at REAL NOT NULL, PRIMARY KEY (key, owner)) WITHOUT ROWID",
)

_DROP_MOST: Final = """
DELETE FROM entries WHERE key IN
(SELECT key FROM entries WHERE length(value) > 64 ORDER BY expires_at DESC LIMIT -1 OFFSET ?)
"""
"""Small values are kept until they expire: leases are among them."""
_log = logging.getLogger(__name__)

R = TypeVar("R")


class Database:
    """The file `path`, or memory."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._file: sqlite3.Connection | None = None
        self._signature: tuple[int, ...] = ()
        self._was_ours = False
        self._lock = threading.RLock()

    def run(self, operation: Callable[[sqlite3.Connection], R], *, writes: bool, erases: bool) -> R:
        """Run one transaction. Raises `StateStoreError`."""
        attempt = 0
        with self._lock:
            while True:
                attempt += 1
                try:
                    file = self._opened()
                    with file:  # commits, or rolls back after a failure
                        if writes:
                            file.execute("BEGIN IMMEDIATE")
                        result = operation(file)
                    if erases:
                        self._empty_log(file, damaged_before=self._clock())
                except Exception as error:  # after any error, release all locks
                    self.close()
                    if attempt < 3 and self._may_heal(error, last=attempt == 2):
                        continue
                    text = error.strerror if isinstance(error, OSError) else None
                    raise StateStoreError(text or str(error) or type(error).__name__) from error
                else:
                    return result

    @contextmanager
    def idle(self) -> Generator[bool]:
        """Keep other threads out; whether a read needs no wait: no other thread is at work, and the file is open."""
        free = self._lock.acquire(blocking=False)
        try:
            yield free and self._file is not None and (self._path is None or _signature(self._path) == self._signature)
        finally:
            if free:
                self._lock.release()

    def purge(self) -> None:
        """Delete and overwrite expired values. After an error the next purge tries again."""
        now = self._clock()
        with self._lock, suppress(sqlite3.Error):
            if (file := self._file) is not None:
                file.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
                file.execute("DELETE FROM counters WHERE expires_at <= ?", (now,))
                if self._path is None:
                    file.execute(_DROP_MOST, (MAX_ENTRIES,))
                self._empty_log(file, damaged_before=now - _DAMAGED_KEPT)

    def close(self) -> None:
        """Close the file; the next operation opens it again."""
        with self._lock, suppress(sqlite3.Error):
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def _opened(self) -> sqlite3.Connection:
        path = self._path
        if path is not None and _signature(path) != self._signature:
            # The file was deleted, replaced or overwritten, or another process emptied the write-ahead log.
            self.close()
        if self._file is not None:
            return self._file
        if path is not None:
            _prepare(path)
            self._signature = _signature(path)
        self._file = file = sqlite3.connect(
            path or ":memory:", timeout=MAX_WAIT, isolation_level=None, check_same_thread=False
        )
        # Deleted values are overwritten, not only marked as free.
        file.execute("PRAGMA secure_delete = ON")
        _check_or_create(file)
        # With WAL readers and the writer do not wait for each other; some file systems do not support it.
        with suppress(sqlite3.OperationalError):
            file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        if not self._was_ours:
            self.purge()
        self._was_ours = True
        self._signature = _signature(path) if path is not None else ()
        return file

    def _empty_log(self, file: sqlite3.Connection, *, damaged_before: float) -> None:
        """Empty the write-ahead log, and delete a damaged file that was moved aside before `damaged_before`."""
        if self._path is not None:
            # Another process may be reading, or have the file open; the next purge tries again.
            with suppress(sqlite3.OperationalError, OSError):
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                damaged = _beside(self._path, ".damaged")
                if damaged.exists() and damaged.stat().st_mtime < damaged_before:
                    damaged.unlink()

    def _may_heal(self, error: Exception, *, last: bool) -> bool:
        """Return whether to open the file again. Before the last attempt, move a damaged file of ours aside."""
        path, seen = self._path, self._signature
        if path is None:
            return False
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _signature(path) != seen
        # Another process may have replaced it already.
        if last and _signature(path)[:2] == seen[:2]:
            # What may be a file of another program gets a name of its own, and is never deleted.
            ours = self._was_ours or _is_ours(path)
            aside = _beside(path, ".damaged" if ours else f".unreadable-{int(self._clock())}")
            path.replace(aside)
            _log.warning("The state file %s could not be read (%s). It was moved to %s.", path, error, aside.name)
        return True


def _check_or_create(file: sqlite3.Connection) -> None:
    """Create the tables in an empty file, or in one of another schema, whose data is deleted.

    Raises `StateStoreError` for a file of another program, and does not change it.
    """
    # With the lock, all queries see the file before another process creates it, or all after that.
    file.execute("BEGIN IMMEDIATE")
    owner, version = (file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    if owner != _APPLICATION_ID and (owner or version or tables):
        raise StateStoreError("the file belongs to another program")
    if version != _SCHEMA_VERSION:
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
    """Create the file, for its owner only. Remove the -wal and -shm files of a missing file, or make them writable."""
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
    """Return whether the header of a file says that this program wrote it."""
    with suppress(OSError), path.open("rb") as file:
        header = file.read(72)
        return header[:16] == b"SQLite format 3\0" and header[68:72] == _APPLICATION_ID.to_bytes(4, "big")
    return False
