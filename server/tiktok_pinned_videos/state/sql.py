"""A store in an SQLite file that the processes of one user share, or in memory of one process.

Operations on a file that may have to wait run in one worker thread; those that write are one transaction that takes
the write lock first.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from .base import COUNTERS_KEPT, Counter, Counts, Entry, Store
from .database import Database

PURGE_EVERY: Final = 30.0
"""Seconds between two purges while a process uses the store. Opening the file purges too."""
_CLOSING: Final = 0.5

R = TypeVar("R")


class SQLStore(Store):
    """A `Store` in the file `path`, created on first use and readable by its owner only; None for memory."""

    def __init__(self, path: str | Path | None, *, clock: Callable[[], float] = time.time) -> None:
        # Resolved now, because the working directory may change before the first use.
        self._path = Path(path).expanduser().absolute() if path is not None else None
        self._clock = clock
        self._database = Database(self._path, clock=clock)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="state") if self._path is not None else None
        self._timer: asyncio.TimerHandle | None = None
        self.shared = self._path is not None
        self.holds_secrets = self._path is None

    async def get(self, *keys: str) -> list[bytes | None]:
        return await self._run(lambda file: _values(file, keys, self._clock()))

    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        """See `Store.put`. Deleted values are overwritten at once."""

        def write(file: sqlite3.Connection) -> None:
            file.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in delete])
            _write(file, entries, self._clock())

        await self._run(write, writes=True, erases=bool(delete))

    async def add(self, entry: Entry) -> bool:

        def write(file: sqlite3.Connection) -> bool:
            now = self._clock()
            absent = _values(file, (entry.key,), now) == [None]
            _write(file, [entry] if absent else [], now)
            return absent

        return await self._run(write, writes=True)

    async def release(self, key: str, value: bytes) -> None:
        query = "DELETE FROM entries WHERE key = ? AND value = ?"
        await self._run(lambda file: file.execute(query, (key, value)), writes=True)

    async def find(self, prefix: str, limit: int) -> list[str]:
        query = "SELECT key FROM entries WHERE key >= ? AND key < ? AND expires_at > ? LIMIT ?"
        bounds = (prefix, prefix + "\U0010ffff", self._clock(), max(0, limit))
        return await self._run(lambda file: [key for (key,) in file.execute(query, bounds).fetchall()])

    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        return await self._run(lambda file: _count(file, counters, amount), writes=True)

    def is_missing(self) -> bool:
        return self._path is None or not self._path.exists()

    def describe(self) -> str:
        return f"SQLite file {self._path}" if self._path is not None else "memory of this process"

    async def aclose(self) -> None:
        """See `Store.aclose`. Waits a moment for the current operation; it ends in its thread in any case."""
        if self._timer is not None:
            self._timer.cancel()
        worker, self._worker = self._worker, None
        if worker is None:
            self._database.close()
            return
        closing = asyncio.get_running_loop().run_in_executor(worker, self._database.close)
        worker.shutdown(wait=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await closing

    async def _run(
        self, operation: Callable[[sqlite3.Connection], R], *, writes: bool = False, erases: bool = False
    ) -> R:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(PURGE_EVERY, self._purge, loop)
        run = partial(self._database.run, operation, writes=writes, erases=erases)
        if self._worker is None:
            return run()
        if not writes:
            with self._database.idle() as idle:  # changing to the worker takes longer than most reads
                if idle:
                    return run()
        return await loop.run_in_executor(self._worker, run)

    def _purge(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(PURGE_EVERY, self._purge, loop)
        if self._worker is not None:
            loop.run_in_executor(self._worker, self._database.purge)
        else:
            self._database.purge()


def _values(file: sqlite3.Connection, keys: Sequence[str], now: float) -> list[bytes | None]:
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, value FROM entries WHERE key IN ({marks}) AND expires_at > ?"  # noqa: S608 - question marks only
    found: dict[str, bytes] = dict(file.execute(query, (*keys, now)).fetchall())
    return [found.get(key) for key in keys]


def _write(file: sqlite3.Connection, entries: Sequence[Entry], now: float) -> None:
    rows = [(entry.key, entry.value, now + entry.ttl) for entry in entries]
    file.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)


def _count(file: sqlite3.Connection, counters: Sequence[Counter], amount: int) -> Counts:
    lost, merged = False, list[dict[str, int]]()
    for counter in counters:
        query = "SELECT owner, value FROM counters WHERE key = ?"
        entries: dict[str, int] = dict(file.execute(query, (counter.key,)).fetchall())
        lower = {owner: value for owner, value in counter.known.items() if value > entries.get(owner, 0)}
        _raise(file, counter, lower)
        merged.append(entries | lower)
        lost = lost or bool(lower)
    both = list(zip(counters, merged, strict=True))
    granted = amount > 0 and not lost and all(sum(one.values()) + amount <= counter.ceiling for counter, one in both)
    for counter, entries in both if granted else ():
        entries[counter.owner] = entries.get(counter.owner, 0) + amount
        _raise(file, counter, {counter.owner: entries[counter.owner]})
    return Counts(granted, tuple(merged), lost)


def _raise(file: sqlite3.Connection, counter: Counter, entries: Mapping[str, int]) -> None:
    rows = [(counter.key, owner, value, counter.until + COUNTERS_KEPT) for owner, value in entries.items()]
    file.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", rows)
