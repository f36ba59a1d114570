"""Entries in an SQLite file that the processes of one user share. Knows SQLite; never keeps a token or a secret.

Steps run in one worker thread. Those that write are one transaction that takes the write lock first, so counters are
exact whoever else has the file open. What has begun and cannot be done within `LONGEST_WAIT` seconds fails. After a
failure the file is opened anew, as the reason may have gone.

What has expired is overwritten and removed within `_PURGE_EVERY` seconds while a process uses the file, and when one
opens it; the write-ahead log is emptied with it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from .base import CounterLostError, StateStore, StateStoreError
from .steps import Find, Read, Remaining, Step
from .table import Entry, perform

LONGEST_WAIT = 2.0
CLOSING_WAIT = 0.5
_PURGE_EVERY = 60.0
# "TTPV": tells our files from those of other programs.
_APPLICATION_ID = 0x54545056
# The first schema had a row id and an index as well; such a file is used as it is.
_SCHEMA_VERSION = 2
# Without a row id a key is stored once, and there are few enough entries to look through all when purging.
_TABLE = "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID"


class SQLiteStore(StateStore):
    """A `StateStore` in the file `path`, opened (and made, readable by its owner only) on first use."""

    shared = True

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        # Fixed now: the first use may come after a change of the working directory.
        self._path = Path(path).expanduser().absolute()
        self._clock = clock
        self._worker: ThreadPoolExecutor | None = None
        self._file: sqlite3.Connection | None = None
        self._purge_due: asyncio.TimerHandle | None = None
        self._failed_at = 0.0
        self._failure = ""

    async def run(self, *steps: Step[Any]) -> list[Any]:
        """See `StateStore.run`."""
        loop = asyncio.get_running_loop()
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="state")
            self._purge_due = loop.call_later(_PURGE_EVERY, self._purge_soon, self._worker)
        return await loop.run_in_executor(self._worker, self._perform, steps, time.monotonic())

    def describe(self) -> str:
        """What holds the state, in words."""
        return f"SQLite file {self._path}"

    async def aclose(self) -> None:
        """See `StateStore.aclose`. Waits a little for what is under way, then leaves it to end by itself."""
        if self._purge_due is not None:
            self._purge_due.cancel()
        worker, self._worker = self._worker, None
        if worker is None:
            return
        closing = asyncio.get_running_loop().run_in_executor(worker, self._close)
        worker.shutdown(wait=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_WAIT):
                await closing

    def _purge_soon(self, worker: ThreadPoolExecutor) -> None:
        # Again and again: what has expired goes although nobody calls any more.
        self._purge_due = asyncio.get_running_loop().call_later(_PURGE_EVERY, self._purge_soon, worker)
        worker.submit(self._purge)  # nobody looks at what it raises: the next one tries again

    # Everything below runs in the worker thread.

    def _perform(self, steps: Sequence[Step[Any]], asked_at: float) -> list[Any]:
        if asked_at < self._failed_at:  # it would wait for the same lock as the one before, and so on in turn
            raise StateStoreError(self._failure)
        deadline = time.monotonic() + LONGEST_WAIT
        try:
            file, now = self._file or self._open(deadline), self._clock()
            _wait_for_others(file, deadline)
            table = _Table(file, now)
            with file:  # committed in the end, rolled back where a counter is lost
                if not all(isinstance(step, Read | Remaining | Find) for step in steps):
                    file.execute("BEGIN IMMEDIATE")
                return [perform(step, table, now) for step in steps]
        except CounterLostError:
            raise
        except Exception as error:  # whatever it was, no lock may stay taken
            self._close()
            self._failed_at, self._failure = time.monotonic(), _reason(error)
            raise StateStoreError(self._failure) from error

    def _open(self, deadline: float) -> sqlite3.Connection:
        _make_private(self._path)
        file = self._file = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        _wait_for_others(file, deadline)
        _check_or_create(file)
        # Readers and the writer do not wait for each other in this mode; where it cannot be had, they do.
        with suppress(sqlite3.OperationalError):
            file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        # What has expired may no longer be kept, so it is overwritten and not just marked as free.
        file.execute("PRAGMA secure_delete = ON")
        self._purge()
        return file

    def _purge(self) -> None:
        """Overwrite what has expired, and empty the write-ahead log that still holds it."""
        if self._file is None:
            return
        self._file.execute("DELETE FROM entries WHERE expires_at <= ?", (self._clock(),))
        # Another process may be reading; the next purge tries again.
        with suppress(sqlite3.OperationalError):
            self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()


class _Table:
    """The entries in the file, as of one moment."""

    def __init__(self, file: sqlite3.Connection, now: float) -> None:
        self._file = file
        self._now = now

    def read(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        rows = self._file.execute(
            f"SELECT key, value, expires_at FROM entries WHERE key IN ({_marks(keys)}) AND expires_at > ?",  # noqa: S608 - marks only
            (*keys, self._now),
        )
        return {key: Entry(value, expires_at) for key, value, expires_at in rows}

    def write(self, key: str, entry: Entry) -> None:
        self._file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (key, entry.value, entry.expires_at))

    def drop(self, keys: Sequence[str]) -> None:
        self._file.execute(f"DELETE FROM entries WHERE key IN ({_marks(keys)})", keys)  # noqa: S608 - marks only

    def find(self, prefix: str, limit: int) -> list[str]:
        rows = self._file.execute(
            "SELECT key FROM entries WHERE key >= ? AND key < ? AND expires_at > ? LIMIT ?",
            (prefix, prefix + "\U0010ffff", self._now, max(0, limit)),
        )
        return [key for (key,) in rows]


def _marks(keys: Sequence[str]) -> str:
    return ",".join("?" * len(keys))


def _make_private(path: Path) -> None:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    # Only a file that is new is opened here: closing any handle of it would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_or_create(file: sqlite3.Connection) -> None:
    """Have an empty file hold our table. `StateStoreError` for a file that is not ours to use, left as it is."""
    # Locked, or the answers could be from before and after another process made it.
    file.execute("BEGIN IMMEDIATE")
    owner, version, objects = (
        file.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if (owner, version, objects) == (0, 0, 0):
        file.execute(_TABLE)
        file.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    elif owner != _APPLICATION_ID:
        raise StateStoreError("the file belongs to another program")
    elif version > _SCHEMA_VERSION:
        raise StateStoreError(f"the file was written by a newer version of this program (schema {version})")
    file.execute("COMMIT")


def _wait_for_others(file: sqlite3.Connection, deadline: float) -> None:
    """Have statements wait for other processes until the deadline, and not longer."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise StateStoreError("busy for too long")
    file.execute(f"PRAGMA busy_timeout = {int(left * 1000) + 1}")


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__
