"""An SQLite database that reopens its file after it was deleted, replaced or damaged while the process runs.

A damaged file of this program is renamed. Expired and deleted values are overwritten. Operations run on the event
loop, because each takes less time than handing it to a thread, and none waits for the disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from .base import StateStoreError

_MAX_WAIT: Final = 2.0
"""Seconds that an operation may wait for other processes."""
_POLL: Final = 0.005  # seconds
_PURGE_EVERY: Final = 30.0
"""Seconds between two purges while a process uses the database. The first opening also purges."""
_DAMAGED_TTL: Final = 86_400.0
_APPLICATION_ID: Final = 0x54545056
"""`TTPV`: marks the files of this program."""
_SCHEMA_VERSION: Final = 3
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS entries "
    "(key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS counters "
    "(key TEXT, owner TEXT, value INTEGER NOT NULL, expires_at REAL NOT NULL, PRIMARY KEY (key, owner)) WITHOUT ROWID",
)
_log = logging.getLogger(__name__)

R = TypeVar("R")


class Database:
    """The file `path`, created on first use and readable by its owner only; None for memory."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, ...] = ()
        self._was_ours = False
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, operation: Callable[[sqlite3.Connection], R], *, one_query: bool = False) -> R:
        """Run one exclusive transaction, or an operation of one query. Raises `StateStoreError`.

        It is tried again while another process has the file locked, and after a repair.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _MAX_WAIT
        while True:
            try:
                connection = self._connect()
                if self._path is not None:
                    connection.execute("PRAGMA shrink_memory")  # in case the file was damaged: drops cached pages
                if one_query:
                    return operation(connection)
                with connection:  # commits, or rolls back after a failure
                    connection.execute("BEGIN IMMEDIATE")
                    return operation(connection)
            except Exception as error:
                if not self._may_succeed_later(error) or loop.time() >= give_up:
                    raise StateStoreError(getattr(error, "strerror", None) or str(error)) from error
            await asyncio.sleep(_POLL)

    def delete_damaged(self, *, before: float) -> None:
        """Delete a damaged file that was renamed before this time. After an error the next purge tries again."""
        with suppress(OSError):
            if self._path is not None and (damaged := Path(f"{self._path}.damaged")).stat().st_mtime < before:
                damaged.unlink()

    def close(self) -> None:
        """Close the file and end the purges."""
        if self._timer is not None:
            self._timer.cancel()
        self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        path = self._path
        if path is not None and _identity(path) != self._identity:  # the file was deleted or replaced
            self._disconnect()
            self._was_ours = False
        if self._connection is not None:
            return self._connection
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Only a new file is opened here: closing any handle of an existing one would drop SQLite's locks.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            for existing in (path, Path(f"{path}-journal")):
                if existing.exists() and not os.access(existing, os.R_OK | os.W_OK):
                    with suppress(OSError):
                        existing.chmod(0o600)
            self._identity = _identity(path)
        connection = sqlite3.connect(path or ":memory:", timeout=0, isolation_level=None)
        try:
            # Deleted values are overwritten, not only marked as free; the rollback journal is emptied.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            # Do not wait for the disk. If the computer loses power, the file may be damaged, and is then renamed.
            connection.execute("PRAGMA synchronous = OFF")
            _check_or_create(connection)
        except Exception:
            connection.close()
            raise
        self._connection = connection
        if self._timer is None:
            self._purge()
        self._was_ours = True
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _purge(self) -> None:
        """Delete and overwrite expired values, now and periodically. After an error the next purge tries again."""
        self._timer = asyncio.get_running_loop().call_later(_PURGE_EVERY, self._purge)
        now = self._clock()
        self.delete_damaged(before=now - _DAMAGED_TTL)
        with suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
                self._connection.execute("DELETE FROM counters WHERE expires_at <= ?", (now,))

    def _may_succeed_later(self, error: Exception) -> bool:
        """Return whether to try again. Close the file after an error, and rename a damaged file."""
        path, seen, code = self._path, self._identity, getattr(error, "sqlite_errorcode", 0) & 0xFF
        if path is None or code == sqlite3.SQLITE_BUSY:
            return path is not None
        self._disconnect()
        # Another process may have replaced a damaged file already.
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) and _identity(path) == seen:
            # A file that may belong to another program gets a unique name and is never deleted.
            ours = self._was_ours or _is_ours(path)
            aside = Path(f"{path}.damaged" if ours else f"{path}.unreadable-{int(self._clock())}")
            with suppress(OSError):  # Windows does not rename a file that another process has open
                path.replace(aside)
                os.utime(aside)
                _log.warning("The state file %s could not be read (%s). It was moved to %s.", path, error, aside.name)
        return _identity(path) != seen


def _check_or_create(connection: sqlite3.Connection) -> None:
    """Create the tables; delete the data of another schema. Raises `StateStoreError` for a file of another program."""
    # The lock prevents another process from creating the tables between these queries.
    connection.execute("BEGIN IMMEDIATE")
    owner, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    if owner != _APPLICATION_ID and tables:
        raise StateStoreError("the file belongs to another program")
    if version != _SCHEMA_VERSION:
        for table in tables:
            connection.execute(f'DROP TABLE "{table}"')
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    for table in _TABLES:
        connection.execute(table)
    connection.execute("COMMIT")


def _identity(path: Path) -> tuple[int, ...]:
    """Return device and inode of the file at a path; () if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino


def _is_ours(path: Path) -> bool:
    """Return whether the header of a file says that this program wrote it."""
    with suppress(OSError), path.open("rb") as file:
        header = file.read(72)
        return header[:16] == b"SQLite format 3\0" and header[68:72] == _APPLICATION_ID.to_bytes(4, "big")
    return False
