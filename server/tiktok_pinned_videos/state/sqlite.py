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
from .sqlite_file import close_quietly, open_file, purge, wait_for_others
from .steps import Find, Read, Remaining, Step
from .table import Entry, perform

LONGEST_WAIT = 2.0
CLOSING_WAIT = 0.5
_PURGE_EVERY = 60.0


class SQLiteStore(StateStore):
    """A `StateStore` in the file `path`, opened (and made, readable by its owner only) on first use."""

    shared = True

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        # Fixed now: the first use may come after a change of the working directory.
        self._path = Path(path).expanduser().absolute()
        self._clock = clock
        self._worker: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._purge_due: asyncio.TimerHandle | None = None
        self._failed_at = 0.0
        self._failure = ""

    async def run(self, *steps: Step[Any]) -> list[Any]:
        """See `StateStore.run`."""
        loop = asyncio.get_running_loop()
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="state")
        if self._purge_due is None:
            self._purge_due = loop.call_later(_PURGE_EVERY, self._purge_soon)
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

    def _purge_soon(self) -> None:
        # Again and again: what has expired goes although nobody calls any more.
        self._purge_due = asyncio.get_running_loop().call_later(_PURGE_EVERY, self._purge_soon)
        if self._worker is not None:
            self._worker.submit(self._purge)

    # Everything below runs in the worker thread.

    def _perform(self, steps: Sequence[Step[Any]], asked_at: float) -> list[Any]:
        if asked_at < self._failed_at:  # it would wait for the same lock as the one before, and so on in turn
            raise StateStoreError(self._failure)
        deadline = time.monotonic() + LONGEST_WAIT
        try:
            if self._connection is None:
                self._connection = open_file(self._path, self._clock(), deadline)
            file = self._connection
            table, now = _File(file, self._clock()), self._clock()
            wait_for_others(file, deadline)
            if all(isinstance(step, Read | Remaining | Find) for step in steps):
                return [perform(step, table, now) for step in steps]
            file.execute("BEGIN IMMEDIATE")
            try:
                results = [perform(step, table, now) for step in steps]
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
        return results

    def _purge(self) -> None:
        with suppress(sqlite3.Error, StateStoreError):
            if self._connection is not None:
                purge(self._connection, self._clock())

    def _close(self) -> None:
        file, self._connection = self._connection, None
        close_quietly(file)


class _File:
    """The table in the file, as of one moment."""

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


def _reason(error: Exception) -> str:
    match error:
        case OSError(strerror=str(text)):
            return text
        case _:
            return str(error) or type(error).__name__
