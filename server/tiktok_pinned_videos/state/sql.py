"""An SQLite file that the processes of one user share, or `:memory:` for one process. Never holds a secret on disk.

Operations on a file run in one worker thread; those that write are one transaction that takes the write lock first.
What has expired or was deleted is overwritten, in the write-ahead log too: within `PURGE_EVERY` seconds while a
process uses the file, otherwise when one opens it. A file that was deleted, replaced or damaged under a running
process is opened again; a damaged one is moved aside first.
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
from typing import Final, TypeVar

from .base import COUNTERS_KEPT, Counter, Counts, Entry, StateStoreError, Store

MAX_WAIT: Final = 2.0
"""Seconds that an operation may wait for other processes."""
MAX_ENTRIES: Final = 20_000
"""In memory; of more, those that expire soonest are dropped."""
PURGE_EVERY: Final = 30.0
_CLOSING: Final = 0.5
_DAMAGED_KEPT: Final = 86_400.0
_APPLICATION_ID: Final = 0x54545056
"""`TTPV`: marks our files."""
_SCHEMA_VERSION: Final = 3
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL) "
    "WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS counters (key TEXT, owner TEXT, value INTEGER NOT NULL, expires_at REAL NOT NULL, "
    "PRIMARY KEY (key, owner)) WITHOUT ROWID",
)

R = TypeVar("R")


class SQLStore(Store):
    """A `Store` in the file `path`, created on first use and readable by its owner only; None for memory."""

    def __init__(self, path: str | os.PathLike[str] | None, *, clock: Callable[[], float] = time.time) -> None:
        # Resolved now: the working directory may change before the first use.
        self._path = Path(path).expanduser().absolute() if path is not None else None
        self._clock = clock
        self._worker: ThreadPoolExecutor | None = None
        self._file: sqlite3.Connection | None = None
        self._signature: tuple[int, ...] = ()
        self._was_ours = False
        self._timer: asyncio.TimerHandle | None = None
        self._failed_at = 0.0
        self._failure = ""
        self.shared = self._path is not None
        self.holds_secrets = self._path is None

    async def get(self, *keys: str) -> list[bytes | None]:
        """See `Store.get`."""
        return await self._run(lambda file: _values(file, keys, self._clock()))

    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        """See `Store.put`. What was deleted is overwritten at once."""

        def write(file: sqlite3.Connection) -> None:
            now = self._clock()
            file.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in delete])
            file.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)",
                [(entry.key, entry.value, now + entry.ttl) for entry in entries],
            )

        await self._run(write, writes=True, empties_log=bool(delete))

    async def add(self, entry: Entry) -> bool:
        """See `Store.add`."""

        def write(file: sqlite3.Connection) -> bool:
            now = self._clock()
            if _values(file, (entry.key,), now)[0] is not None:
                return False
            row = (entry.key, entry.value, now + entry.ttl)
            file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", row)
            return True

        return await self._run(write, writes=True)

    async def release(self, key: str, value: bytes) -> None:
        """See `Store.release`."""

        def write(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM entries WHERE key = ? AND value = ?", (key, value))

        await self._run(write, writes=True)

    async def find(self, prefix: str, limit: int) -> list[str]:
        """See `Store.find`."""
        query = "SELECT key FROM entries WHERE key >= ? AND key < ? AND expires_at > ? LIMIT ?"
        bounds = (prefix, prefix + "\U0010ffff", self._clock(), max(0, limit))
        return await self._run(lambda file: [key for (key,) in file.execute(query, bounds).fetchall()])

    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        """See `Store.count`."""
        return await self._run(lambda file: _count(file, counters, amount), writes=True)

    def describe(self) -> str:
        """See `Store.describe`."""
        return f"SQLite file {self._path}" if self._path is not None else "memory of this process"

    async def aclose(self) -> None:
        """See `Store.aclose`. Waits a moment for what is under way, which then ends by itself."""
        if self._timer is not None:
            self._timer.cancel()
        worker, self._worker = self._worker, None
        if worker is None:
            self._close()
            return
        closing = asyncio.get_running_loop().run_in_executor(worker, self._close)
        worker.shutdown(wait=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await closing

    async def _run(
        self, operation: Callable[[sqlite3.Connection], R], *, writes: bool = False, empties_log: bool = False
    ) -> R:
        if self._timer is None:
            self._schedule_purge()
        if self._path is None:
            return self._perform(operation, time.monotonic(), writes=writes, empties_log=False)
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="state")

        def perform() -> R:
            return self._perform(operation, asked_at, writes=writes, empties_log=empties_log)

        asked_at = time.monotonic()
        return await asyncio.get_running_loop().run_in_executor(self._worker, perform)

    def _schedule_purge(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PURGE_EVERY, self._purge_in_time)

    def _purge_in_time(self) -> None:
        self._schedule_purge()
        if self._worker is not None:
            self._worker.submit(self._purge)
        elif self._path is None:
            self._purge()

    # With a file, everything below runs in the worker thread.

    def _perform(
        self, operation: Callable[[sqlite3.Connection], R], asked_at: float, *, writes: bool, empties_log: bool
    ) -> R:
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
                if empties_log:
                    _empty_log(file)
                    if self._path is not None:
                        _beside(self._path, ".damaged").unlink(missing_ok=True)
            except Exception as error:  # whatever it was, no lock may stay taken
                path, seen = self._path, self._signature
                self._close()
                damaged = _is_damaged(error)
                if path is not None and attempt < 3 and (damaged or _signature(path) != seen):
                    if damaged and attempt == 2 and (self._was_ours or _is_ours(path)):
                        _move_aside(path, seen)
                    continue
                self._failed_at, self._failure = time.monotonic(), _reason(error)
                raise StateStoreError(self._failure) from error
            else:
                return result

    def _opened(self, deadline: float) -> sqlite3.Connection:
        path = self._path
        if self._file is not None and path is not None and _signature(path) != self._signature:
            # Deleted, replaced or overwritten; or another process has emptied the write-ahead log.
            self._close()
        if self._file is None:
            first = not self._was_ours
            if path is None:
                self._file = sqlite3.connect(":memory:", isolation_level=None)
            else:
                _prepare(path)
                self._signature = _signature(path)
                self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            _wait_for_others(self._file, deadline)
            # What has expired must not be kept, so it is overwritten and not only marked as free.
            self._file.execute("PRAGMA secure_delete = ON")
            _check_or_create(self._file)
            self._was_ours = True
            # In this mode readers and the writer do not wait for each other; some file systems do not have it.
            with suppress(sqlite3.OperationalError):
                self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            if first:
                self._purge()
            if path is not None:
                self._signature = _signature(path)
        _wait_for_others(self._file, deadline)
        return self._file

    def _purge(self) -> None:
        """Overwrite what has expired, and empty the write-ahead log, which still holds it."""
        file, now = self._file, self._clock()
        if file is None:
            return
        file.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
        file.execute("DELETE FROM counters WHERE expires_at <= ?", (now,))
        if self._path is not None:
            _empty_log(file)
            damaged = _beside(self._path, ".damaged")
            with suppress(OSError):
                if damaged.stat().st_mtime < now - _DAMAGED_KEPT:
                    damaged.unlink()
        elif (count := file.execute("SELECT count(*) FROM entries").fetchone()[0]) > MAX_ENTRIES:
            # Values of a few bytes, such as leases, have to live until they expire.
            file.execute(
                "DELETE FROM entries WHERE key IN "
                "(SELECT key FROM entries WHERE length(value) > 64 ORDER BY expires_at LIMIT ?)",
                (count - MAX_ENTRIES,),
            )

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()


def _values(file: sqlite3.Connection, keys: Sequence[str], now: float) -> list[bytes | None]:
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, value FROM entries WHERE key IN ({marks}) AND expires_at > ?"  # noqa: S608 - question marks only
    found: dict[str, bytes] = dict(file.execute(query, (*keys, now)).fetchall())
    return [found.get(key) for key in keys]


def _count(file: sqlite3.Connection, counters: Sequence[Counter], amount: int) -> Counts:
    lost, fits = False, True
    merged: list[dict[str, int]] = []
    for counter in counters:
        query = "SELECT owner, value FROM counters WHERE key = ?"
        entries: dict[str, int] = dict(file.execute(query, (counter.key,)).fetchall())
        lower = {owner: value for owner, value in counter.known.items() if value > entries.get(owner, 0)}
        _write(file, counter, lower)
        lost = lost or bool(lower)
        entries |= lower
        merged.append(entries)
        fits = fits and counter.sum_after(entries, amount) <= counter.ceiling
    granted = fits and not lost and amount > 0
    if granted:
        for counter, entries in zip(counters, merged, strict=True):
            entries[counter.owner] = counter.own_after(entries, amount)
            _write(file, counter, {counter.owner: entries[counter.owner]})
    return Counts(granted, tuple(merged), lost)


def _write(file: sqlite3.Connection, counter: Counter, entries: Mapping[str, int]) -> None:
    file.executemany(
        "INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)",
        [(counter.key, owner, value, counter.until + COUNTERS_KEPT) for owner, value in entries.items()],
    )


def _empty_log(file: sqlite3.Connection) -> None:
    # Another process may be reading; the next purge tries again.
    with suppress(sqlite3.OperationalError):
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _wait_for_others(file: sqlite3.Connection, deadline: float) -> None:
    """Let statements wait for other processes until the deadline, and not longer."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise StateStoreError("busy for too long")
    file.execute(f"PRAGMA busy_timeout = {int(left * 1000) + 1}")


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
    """Create the file, for its owner only, and remove what does not belong to it or cannot be used."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        for ending in ("-wal", "-shm"):  # of a file that was deleted
            _beside(path, ending).unlink(missing_ok=True)
    # Only a new file is opened here: closing any handle of an existing one would drop SQLite's locks of this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    for ending in ("-wal", "-shm"):
        beside = _beside(path, ending)
        if beside.exists() and not os.access(beside, os.R_OK | os.W_OK):
            with suppress(OSError):
                beside.chmod(0o600)


def _is_ours(path: Path) -> bool:
    """Whether the header of a file says that this program wrote it."""
    with suppress(OSError), path.open("rb") as file:
        header = file.read(72)
        return header[:16] == b"SQLite format 3\0" and header[68:72] == _APPLICATION_ID.to_bytes(4, "big")
    return False


def _move_aside(path: Path, seen: tuple[int, ...]) -> None:
    """Rename a damaged file, unless another process has replaced it already."""
    if _signature(path)[:2] == seen[:2]:
        path.replace(_beside(path, ".damaged"))
        for ending in ("-wal", "-shm"):
            _beside(path, ending).unlink(missing_ok=True)


def _is_damaged(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__
