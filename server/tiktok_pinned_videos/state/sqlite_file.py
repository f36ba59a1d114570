"""The SQLite file itself: making, checking, migrating and purging it. Runs in the store's worker thread."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from .base import StateStoreError

# "TTPV": tells our files from those of other programs.
_APPLICATION_ID = 0x54545056
_SCHEMA_VERSION = 2
# Without a row id a key is stored once, and there are few enough entries to look through all when purging.
_TABLE = "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID"


def open_file(path: Path, now: float, deadline: float) -> sqlite3.Connection:
    """A connection to the file, made if it is not there. `now`: Unix seconds; `deadline`: on the monotonic clock."""
    _make_private(path)
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        wait_for_others(file, deadline)
        _check_or_create(file)
        # Readers and the writer do not wait for each other in this mode; where it cannot be had, they do.
        with suppress(sqlite3.OperationalError):
            file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        # What has expired may no longer be kept, so it is overwritten and not just marked as free.
        file.execute("PRAGMA secure_delete = ON")
        purge(file, now)
    except BaseException:
        close_quietly(file)
        raise
    return file


def close_quietly(file: sqlite3.Connection | None) -> None:
    """Close it, whatever state it is in."""
    if file is not None:
        with suppress(sqlite3.Error):
            file.close()


def wait_for_others(file: sqlite3.Connection, deadline: float) -> None:
    """Have statements wait for other processes until the deadline, and not longer."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise StateStoreError("busy for too long")
    file.execute(f"PRAGMA busy_timeout = {int(left * 1000) + 1}")


def purge(file: sqlite3.Connection, now: float) -> None:
    """Overwrite what has expired, and empty the write-ahead log that still holds it."""
    file.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
    # Another process may be reading; the next purge tries again.
    with suppress(sqlite3.OperationalError):
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _make_private(path: Path) -> None:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    # Only a file that is new is opened here: closing any handle of it would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_or_create(file: sqlite3.Connection) -> None:
    # In a transaction, or the answers could be from before and after another process made it.
    file.execute("BEGIN")
    version = _version(file)
    file.execute("COMMIT")
    if version == _SCHEMA_VERSION:
        return
    file.execute("BEGIN IMMEDIATE")
    match _version(file):
        case 0:
            file.execute(_TABLE)
            file.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        case 1:
            # Of 0.1: the day's count has to survive the update.
            file.execute("ALTER TABLE entries RENAME TO entries_1")
            file.execute(_TABLE)
            file.execute("INSERT INTO entries SELECT key, value, expires_at FROM entries_1")
            file.execute("DROP TABLE entries_1")
        case _:
            pass
    file.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    file.execute("COMMIT")


def _version(file: sqlite3.Connection) -> int:
    """Which schema the file has, 0 for an empty file; `StateStoreError` for one that is not ours to use."""
    application_id, version, objects = (
        file.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    match application_id, version, objects:
        case (0, 0, 0):
            return 0
        case (int(found), _, _) if found != _APPLICATION_ID:
            raise StateStoreError("the file belongs to another program")
        case (_, int(found), _) if found > _SCHEMA_VERSION:
            raise StateStoreError(f"the file was written by a newer version of this program (schema {found})")
        case (_, int(found), _):
            return found
        case _:
            raise StateStoreError("the file cannot be read")
