"""Entries in an SQLite file that the processes of one user share. Knows SQLite; never keeps a token or a secret.

Statements run in one worker thread, each as one transaction that takes the write lock first, so counters are exact
whoever else has the file open. A step that cannot be done within `LONGEST_WAIT` seconds, waiting for other processes
and for earlier steps included, fails. After a failure the file is opened anew, as the reason may have gone.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from .base import StateStoreError
from .memory import as_count

LONGEST_WAIT = 2.0
CLOSING_WAIT = 0.5

# "TTPV": tells our files from those of other programs.
_APPLICATION_ID = 0x54545056
_SCHEMA_VERSION = 1
_WRITES_BETWEEN_PURGES = 200

_T = TypeVar("_T")


class SQLiteStore:
    """A `StateStore` in the file `path`, opened (and made, readable by its owner only) on first use."""

    shared = True
    holds_secrets = False
    degraded = False

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        # Fixed now: the first use may come after a change of the working directory.
        self._path = Path(path).expanduser().absolute()
        self._clock = clock
        self._worker: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._writes = 0

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._run(lambda file: self._read(file, key))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        await self._run(lambda file: self._write(file, key, value, self._clock() + ttl))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""

        def add(file: sqlite3.Connection) -> bool:
            file.execute("BEGIN IMMEDIATE")
            if self._read(file, key) is not None:
                return False
            self._write(file, key, value, self._clock() + ttl)
            return True

        return await self._run(add)

    async def delete(self, key: str, *, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        return await self._run(
            lambda file: (
                file.execute(
                    "DELETE FROM entries WHERE key = ?1 AND expires_at > ?2 AND (?3 IS NULL OR value = ?3)",
                    (key, self._clock(), expected),
                ).rowcount
                == 1
            )
        )

    async def increment(self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None) -> int | None:
        """See `StateStore.increment`."""

        def count(file: sqlite3.Connection) -> int | None:
            file.execute("BEGIN IMMEDIATE")
            before = as_count(self._read(file, key) or b"")
            total = (before or 0) + amount
            if ceiling is not None and total > ceiling:
                return None
            if before is None:
                self._write(file, key, b"%d" % total, self._clock() + ttl)
            else:
                file.execute("UPDATE entries SET value = ? WHERE key = ?", (b"%d" % total, key))
            return total

        return await self._run(count)

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`."""

        def select(file: sqlite3.Connection) -> list[str]:
            rows = file.execute(
                "SELECT key FROM entries WHERE key >= ? AND key < ? AND expires_at > ? LIMIT ?",
                (prefix, prefix + "\U0010ffff", self._clock(), max(0, limit)),
            )
            return [key for (key,) in rows]

        return await self._run(select)

    async def remaining(self, key: str) -> float | None:
        """Seconds until the key expires, or None when absent or expired."""

        def select(file: sqlite3.Connection) -> float | None:
            row = file.execute("SELECT expires_at FROM entries WHERE key = ?", (key,)).fetchone()
            left = row[0] - self._clock() if row else 0.0
            return left if left > 0 else None

        return await self._run(select)

    async def ping(self) -> None:
        """Write something, to see that writing works; `StateStoreError` when it does not."""
        await self.set("state:ping", b"", ttl=1.0)

    def describe(self) -> str:
        """What holds the state, in words."""
        return f"SQLite file {self._path}"

    async def aclose(self) -> None:
        """See `StateStore.aclose`. Waits a little for a step under way, then leaves it to end by itself."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        closing = worker.submit(self._close)
        worker.shutdown(wait=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_WAIT):
                await asyncio.wrap_future(closing)

    async def _run(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="state")
        deadline = time.monotonic() + LONGEST_WAIT
        return await asyncio.wrap_future(self._worker.submit(self._step, step, deadline))

    # Everything below runs in the worker thread.

    def _step(self, step: Callable[[sqlite3.Connection], _T], deadline: float) -> _T:
        try:
            file = self._connection or self._open(deadline)
            _wait_for_others(file, deadline)
            result = step(file)
            if file.in_transaction:
                file.execute("COMMIT")
            if self._writes >= _WRITES_BETWEEN_PURGES:
                self._purge(file)
        except Exception as error:  # whatever it was, no lock may stay taken
            self._close()
            raise StateStoreError(_reason(error)) from error
        return result

    def _read(self, file: sqlite3.Connection, key: str) -> bytes | None:
        row = file.execute(
            "SELECT value FROM entries WHERE key = ? AND expires_at > ?", (key, self._clock())
        ).fetchone()
        return row[0] if row else None

    def _write(self, file: sqlite3.Connection, key: str, value: bytes, expires_at: float) -> None:
        file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (key, value, expires_at))
        self._writes += 1

    def _purge(self, file: sqlite3.Connection) -> None:
        file.execute("DELETE FROM entries WHERE expires_at <= ?", (self._clock(),))
        self._writes = 0

    def _open(self, deadline: float) -> sqlite3.Connection:
        _make_private(self._path)
        file = self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        _wait_for_others(file, deadline)
        _check_or_create(file)
        # Readers and the writer do not wait for each other in this mode; where it cannot be had, they do.
        with suppress(sqlite3.OperationalError):
            file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        # What has expired may no longer be kept, so it is overwritten and not just marked as free.
        file.execute("PRAGMA secure_delete = ON")
        self._purge(file)
        return file

    def _close(self) -> None:
        file, self._connection = self._connection, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()


def _make_private(path: Path) -> None:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    # Only a file that is new is opened here: closing any handle of it would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _wait_for_others(file: sqlite3.Connection, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise StateStoreError("busy for too long")
    file.execute(f"PRAGMA busy_timeout = {int(left * 1000) + 1}")


def _check_or_create(file: sqlite3.Connection) -> None:
    # In a transaction, or the answers could be from before and after another process made it.
    file.execute("BEGIN")
    ours = _is_ours(file)
    file.execute("COMMIT")
    if ours:
        return
    file.execute("BEGIN IMMEDIATE")
    if not _is_ours(file):
        file.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL)")
        file.execute("CREATE INDEX entries_by_expiry ON entries (expires_at)")
        file.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    file.execute("COMMIT")


def _is_ours(file: sqlite3.Connection) -> bool:
    application_id, version, objects = (
        file.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    match application_id, version, objects:
        case (0, 0, 0):
            return False
        case (int(found), _, _) if found != _APPLICATION_ID:
            raise StateStoreError("the file belongs to another program")
        case (_, int(found), _) if found != _SCHEMA_VERSION:
            raise StateStoreError(f"the file was written by another version of this program (schema {found})")
        case _:
            return True


def _reason(error: Exception) -> str:
    match error:
        case OSError(strerror=str(text)):
            return text
        case _:
            return str(error) or type(error).__name__
