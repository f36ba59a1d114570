"""A store in an SQLite file that the processes of one user share, or in memory of one process."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .base import COUNTERS_KEPT, Counter, Counts, Entry, Store
from .database import Database


class SQLStore(Store):
    """A `Store` in the file `path`; None for memory."""

    def __init__(self, path: str | Path | None, *, clock: Callable[[], float] = time.time) -> None:
        # Resolved now, because the working directory may change before the first use.
        self._path = Path(path).expanduser().absolute() if path is not None else None
        self._clock = clock
        self._database = Database(self._path, clock=clock)
        self.shared = self._path is not None

    async def get(self, *keys: str) -> list[bytes | None]:
        return await self._database.run(lambda connection: _values(connection, keys, self._clock()), one_query=True)

    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        """See `Store.put`. Deleted values are overwritten at once, those in a renamed damaged file too."""

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in delete])
            _write(connection, entries, self._clock())

        await self._database.run(write)
        if delete:
            self._database.delete_damaged(before=self._clock())

    async def add(self, entry: Entry) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            absent = _values(connection, (entry.key,), now) == [None]
            _write(connection, [entry] if absent else [], now)
            return absent

        return await self._database.run(write)

    async def release(self, key: str, value: bytes) -> None:
        query = "DELETE FROM entries WHERE key = ? AND value = ?"
        await self._database.run(lambda connection: connection.execute(query, (key, value)))

    async def find(self, prefix: str, limit: int) -> list[str]:
        query = "SELECT key FROM entries WHERE key >= ? AND key < ? AND expires_at > ? LIMIT ?"
        bounds = (prefix, prefix + "\U0010ffff", self._clock(), max(0, limit))
        keys = await self._database.run(lambda connection: connection.execute(query, bounds).fetchall(), one_query=True)
        return [key for (key,) in keys]

    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        return await self._database.run(lambda connection: _count(connection, counters, amount))

    def describe(self) -> str:
        return f"SQLite file {self._path}" if self._path is not None else "memory of this process"

    async def aclose(self) -> None:
        self._database.close()


def _values(connection: sqlite3.Connection, keys: Sequence[str], now: float) -> list[bytes | None]:
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, value FROM entries WHERE key IN ({marks}) AND expires_at > ?"  # noqa: S608 - question marks only
    found: dict[str, bytes] = dict(connection.execute(query, (*keys, now)).fetchall())
    return [found.get(key) for key in keys]


def _write(connection: sqlite3.Connection, entries: Sequence[Entry], now: float) -> None:
    rows = [(entry.key, entry.value, now + entry.ttl) for entry in entries]
    connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)


def _count(connection: sqlite3.Connection, counters: Sequence[Counter], amount: int) -> Counts:
    lost, merged = False, list[dict[str, int]]()
    for counter in counters:
        query = "SELECT owner, value FROM counters WHERE key = ?"
        entries: dict[str, int] = dict(connection.execute(query, (counter.key,)).fetchall())
        lower = {owner: value for owner, value in counter.known.items() if value > entries.get(owner, 0)}
        _raise(connection, counter, lower)
        merged.append(entries | lower)
        lost = lost or bool(lower)
    both = list(zip(counters, merged, strict=True))
    granted = amount > 0 and not lost and all(sum(one.values()) + amount <= counter.ceiling for counter, one in both)
    for counter, entries in both if granted else ():
        entries[counter.owner] = entries.get(counter.owner, 0) + amount
        _raise(connection, counter, {counter.owner: entries[counter.owner]})
    return Counts(granted, tuple(merged), lost)


def _raise(connection: sqlite3.Connection, counter: Counter, entries: Mapping[str, int]) -> None:
    rows = [(counter.key, owner, value, counter.until + COUNTERS_KEPT) for owner, value in entries.items()]
    connection.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", rows)
