"""Entries in an SQLite file that the processes of one user share. Knows SQLite; never keeps a token or a secret.

Statements run in one worker thread, each step that writes as one transaction that takes the write lock first, so
counters are exact whoever else has the file open. A step that has begun and cannot be done within `LONGEST_WAIT`
seconds fails. After a failure the file is opened anew, as the reason may have gone.

What has expired is overwritten and removed within `_PURGE_EVERY` seconds while a process uses the file, and when one
opens it; the write-ahead log is emptied with it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from .base import CounterLostError, StateStoreError
from .memory import as_count
from .sqlite_file import close_quietly, open_file, purge, wait_for_others

LONGEST_WAIT = 2.0
CLOSING_WAIT = 0.5
_PURGE_EVERY = 60.0

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
        self._purge_due: asyncio.TimerHandle | None = None
        self._failed_at = 0.0
        self._failure = ""

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._run(lambda file: self._read(file, key))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `StateStore.get_many`."""

        def select(file: sqlite3.Connection) -> list[bytes | None]:
            places = ",".join("?" * len(keys))
            rows = file.execute(
                f"SELECT key, value FROM entries WHERE key IN ({places}) AND expires_at > ?",  # noqa: S608 - marks only
                (*keys, self._clock()),
            )
            found: dict[str, bytes] = dict(rows)
            return [found.get(key) for key in keys]

        return await self._run(select)

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        await self._run(lambda file: self._write(file, key, value, ttl))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""

        def add(file: sqlite3.Connection) -> bool:
            if self._read(file, key) is not None:
                return False
            self._write(file, key, value, ttl)
            return True

        return await self._run(add, writes=True)

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.renew`."""
        now = self._clock()
        renewed = await self._changed(
            "UPDATE entries SET expires_at = ? WHERE key = ? AND value = ? AND expires_at > ?",
            (now + ttl, key, value, now),
        )
        return renewed == 1

    async def hold(self, key: str, *, ttl: float) -> None:
        """See `StateStore.hold`."""

        def hold(file: sqlite3.Connection) -> None:
            if self._left(file, key) < ttl:
                self._write(file, key, b"1", ttl)

        await self._run(hold, writes=True)

    async def remaining(self, key: str) -> float:
        """See `StateStore.remaining`."""
        return await self._run(lambda file: self._left(file, key))

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        places = ",".join("?" * len(keys))
        removed = await self._changed(
            f"DELETE FROM entries WHERE key IN ({places}) AND expires_at > ? AND value = coalesce(?, value)",  # noqa: S608 - marks only
            (*keys, self._clock(), expected),
        )
        return removed > 0

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """See `StateStore.increment`."""

        def count(file: sqlite3.Connection) -> int | None:
            before = as_count(self._read(file, key) or b"")
            if (before or 0) < least:
                raise CounterLostError(f"{before or 0} instead of {least} or more")
            total = (before or 0) + amount
            if ceiling is not None and total > ceiling:
                return None
            self._write_count(file, key, total, ttl, new=before is None)
            return total

        return await self._run(count, writes=True)

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """See `StateStore.raise_to`."""

        def raise_it(file: sqlite3.Connection) -> int:
            before = as_count(self._read(file, key) or b"")
            total = max(before or 0, least)
            self._write_count(file, key, total, ttl, new=before is None)
            return total

        return await self._run(raise_it, writes=True)

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`."""

        def select(file: sqlite3.Connection) -> list[str]:
            rows = file.execute(
                "SELECT key FROM entries WHERE key >= ? AND key < ? AND expires_at > ? LIMIT ?",
                (prefix, prefix + "\U0010ffff", self._clock(), max(0, limit)),
            )
            return [key for (key,) in rows]

        return await self._run(select)

    async def ping(self) -> None:
        """See `StateStore.ping`."""
        await self.set("ping", b"1", ttl=1.0)

    def describe(self) -> str:
        """What holds the state, in words."""
        return f"SQLite file {self._path}"

    async def aclose(self) -> None:
        """See `StateStore.aclose`. Waits a little for a step under way, then leaves it to end by itself."""
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

    async def _changed(self, statement: str, values: Sequence[object]) -> int:
        """How many rows a statement has changed."""
        return await self._run(lambda file: file.execute(statement, values).rowcount)

    async def _run(self, step: Callable[[sqlite3.Connection], _T], *, writes: bool = False) -> _T:
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="state")
        if self._purge_due is None:
            self._purge_due = asyncio.get_running_loop().call_later(_PURGE_EVERY, self._purge_soon)
        work = partial(self._step, step, time.monotonic(), writes=writes)
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _purge_soon(self) -> None:
        # Again and again: what has expired goes although nobody calls any more.
        self._purge_due = asyncio.get_running_loop().call_later(_PURGE_EVERY, self._purge_soon)
        if self._worker is not None:
            self._worker.submit(self._purge)

    # Everything below runs in the worker thread.

    def _step(self, step: Callable[[sqlite3.Connection], _T], asked_at: float, *, writes: bool) -> _T:
        if asked_at < self._failed_at:  # it would wait for the same lock as the one before, and so on in turn
            raise StateStoreError(self._failure)
        deadline = time.monotonic() + LONGEST_WAIT
        try:
            file = self._opened(deadline)
            wait_for_others(file, deadline)
            if not writes:
                return step(file)
            file.execute("BEGIN IMMEDIATE")
            try:
                result = step(file)
            except CounterLostError:
                file.execute("ROLLBACK")
                raise
            file.execute("COMMIT")
        except CounterLostError:
            raise
        except Exception as error:  # whatever it was, no lock may stay taken
            self._close()
            self._failed_at, self._failure = time.monotonic(), _reason(error)
            raise StateStoreError(self._failure) from error
        return result

    def _opened(self, deadline: float) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_file(self._path, self._clock(), deadline)
        return self._connection

    def _read(self, file: sqlite3.Connection, key: str) -> bytes | None:
        row = file.execute(
            "SELECT value FROM entries WHERE key = ? AND expires_at > ?", (key, self._clock())
        ).fetchone()
        return row[0] if row else None

    def _left(self, file: sqlite3.Connection, key: str) -> float:
        row = file.execute("SELECT expires_at FROM entries WHERE key = ?", (key,)).fetchone()
        return max(0.0, row[0] - self._clock()) if row else 0.0

    def _write(self, file: sqlite3.Connection, key: str, value: bytes, ttl: float) -> None:
        file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (key, value, self._clock() + ttl))

    def _write_count(self, file: sqlite3.Connection, key: str, total: int, ttl: float, *, new: bool) -> None:
        if new:
            self._write(file, key, b"%d" % total, ttl)
        else:
            file.execute("UPDATE entries SET value = ? WHERE key = ?", (b"%d" % total, key))

    def _purge(self) -> None:
        with suppress(sqlite3.Error, StateStoreError):
            if self._connection is not None:
                purge(self._connection, self._clock())

    def _close(self) -> None:
        file, self._connection = self._connection, None
        close_quietly(file)


def _reason(error: Exception) -> str:
    match error:
        case OSError(strerror=str(text)):
            return text
        case _:
            return str(error) or type(error).__name__
