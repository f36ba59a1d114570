"""A store whose operations never fail, and counters that survive a loss of the data.

While the primary store works, every operation goes to it. When it fails, this process uses memory, and tries the
primary again about once a second. When it is back, the values in memory are dropped.

A second memory has the entries of all counters that the process has seen. Each operation on a counter, and a heartbeat,
merges them into the primary. If the primary has lower entries, it has lost data. Other processes may have higher ones,
so the process waits for one heartbeat of theirs before it counts again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import replace
from typing import Final, TypeVar

from .base import Counter, Counts, Entry, StateStoreError, Store, UnusableStoreError
from .sql import SQLStore

NAMESPACES: Final = "tpv:{namespaces}"
"""Key of a counter that lists the prefixes in use: one entry for each, with the day of its last write."""
_HEARTBEAT: Final = 1.0
_SETTLE: Final = 1.25
"""Seconds in which every other process runs its heartbeat."""
_ROUNDS: Final = 3
"""Maximum number of attempts to count, in case the store keeps losing its data."""
_DAY: Final = 86_400.0
_NAMESPACE_TTL: Final = 30 * _DAY
_MAX_WAIT: Final = 2.5
"""Seconds that an operation may take, including waits within this process."""
_log = logging.getLogger(__name__)

R = TypeVar("R")


class ResilientStore(Store):
    """A `Store` over `primary`. Its operations never fail, and its keys in `primary` begin with `prefix`."""

    shared = True

    def __init__(self, primary: Store, *, prefix: str = "", clock: Callable[[], float] = time.time) -> None:
        self._primary = primary
        self._prefix = prefix
        self._clock = clock
        self._memory = SQLStore(None, clock=clock)  # used during an outage
        self._known = SQLStore(None, clock=clock)  # the entries of all counters that this process has seen
        self._owner = secrets.token_hex(6)
        self._counted: dict[str, Counter] = {}  # the counters to which this process has added
        self._counting = asyncio.Lock()
        self._settled_at = 0.0
        self._proven = False  # whether `check` has succeeded
        self._fault: StateStoreError | None = None  # why the primary cannot be used at the moment
        self._heartbeat: asyncio.Task[None] | None = None

    async def get(self, *keys: str) -> list[bytes | None]:
        return await self._run(lambda store: store.get(*self._full(keys)))

    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        full = [replace(entry, key=self._prefix + entry.key) for entry in entries]

        async def write(store: Store) -> None:
            if entries:
                await self._list_namespace(store)
            await store.put(*full, delete=self._full(delete))

        await self._run(write)

    async def add(self, entry: Entry) -> bool:
        return await self._run(lambda store: store.add(replace(entry, key=self._prefix + entry.key)))

    async def release(self, key: str, value: bytes) -> None:
        await self._run(lambda store: store.release(self._prefix + key, value))

    async def find(self, prefix: str, limit: int) -> list[str]:
        found = await self._run(lambda store: store.find(self._prefix + prefix, limit))
        return [key.removeprefix(self._prefix) for key in found]

    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        """See `Store.count`. After a loss of data, wait a few seconds for the entries of other processes."""
        mine = [replace(counter, key=self._prefix + counter.key, owner=self._owner) for counter in counters]
        if not amount:
            return await self._count(mine, 0)
        async with self._counting:
            for _ in range(_ROUNDS):
                if not self._fault:
                    await asyncio.sleep(max(0.0, self._settled_at - asyncio.get_running_loop().time()))
                counts = await self._count(mine, amount)
                if not counts.lost:
                    break
            else:
                counts = await self._known.count(mine, amount)
        if counts.granted:
            self._counted |= {counter.key: counter for counter in mine}
            self._start_heartbeat()
        return counts

    async def check(self, prefix: str = "") -> None:
        """Run every operation on the primary. Raises `StateStoreError` like `Store.check`."""
        await self._on_primary(lambda store: store.check(self._prefix + prefix))
        await self._on_primary(self._list_namespace)
        self._proven = True

    async def check_usable(self) -> None:
        """Raise `UnusableStoreError` if the primary cannot work as configured, but not if it cannot be reached."""
        if not self._proven and not self._fault:
            try:
                await self.check()
            except StateStoreError as error:
                self._begin_outage(error)
        if isinstance(self._fault, UnusableStoreError):
            raise self._fault

    def describe(self) -> str:
        name = self._primary.describe()
        return f"{name} (degraded: this process uses its own memory)" if self._fault else name

    async def aclose(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            await asyncio.wait([self._heartbeat])
        for store in (self._primary, self._memory, self._known):
            await store.aclose()

    def _full(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]

    async def _list_namespace(self, store: Store) -> None:
        now = self._clock()
        await store.count([Counter(NAMESPACES, 0, now + _NAMESPACE_TTL, known={self._prefix: int(now // _DAY)})], 0)

    async def _run(self, operation: Callable[[Store], Awaitable[R]]) -> R:
        if not self._fault:
            try:
                return await self._on_primary(operation)
            except StateStoreError as error:
                self._begin_outage(error)
        return await operation(self._memory)

    async def _on_primary(self, operation: Callable[[Store], Awaitable[R]]) -> R:
        try:
            async with asyncio.timeout(_MAX_WAIT):
                return await operation(self._primary)
        except TimeoutError:
            raise StateStoreError("busy for too long") from None

    # Counters

    async def _count(self, counters: Sequence[Counter], amount: int) -> Counts:
        """Count on the primary, or during an outage on the entries that this process has seen."""
        if not self._fault:
            try:
                return await self._merge(counters, amount)
            except StateStoreError as error:
                self._begin_outage(error)
        return await self._known.count(counters, amount)

    async def _merge(self, counters: Sequence[Counter], amount: int) -> Counts:
        known = _with_entries(counters, await self._known.count(counters, 0))
        counts = await self._on_primary(lambda store: store.count(known, amount))
        await self._known.count(_with_entries(counters, counts), 0)
        if counts.lost:
            self._settled_at = asyncio.get_running_loop().time() + _SETTLE
        return counts

    # Outages

    def _begin_outage(self, error: StateStoreError) -> None:
        if not self._fault:
            text = "State store lost: %s cannot be used (%s). Until it is back, each process uses its own memory."
            _log.warning(text, self._primary.describe(), error)
        self._fault = error
        self._start_heartbeat()

    def _start_heartbeat(self) -> None:
        if self._heartbeat is None or self._heartbeat.done():
            # In a new context, because its logs and spans do not belong to the current call.
            self._heartbeat = asyncio.create_task(self._run_heartbeat(), context=Context())

    async def _run_heartbeat(self) -> None:
        """Run during an outage, and while a counter to which this process has added has not expired."""
        while self._fault or self._counted:
            await asyncio.sleep(_HEARTBEAT)
            self._counted = {key: one for key, one in self._counted.items() if one.until > self._clock()}
            try:
                if self._fault:
                    await self.check()
                if self._counted:
                    await self._merge(list(self._counted.values()), 0)
            except StateStoreError as error:
                self._begin_outage(error)
                continue
            if self._fault:
                self._settled_at = asyncio.get_running_loop().time() + _SETTLE
                await self._memory.aclose()
                self._memory, self._fault = SQLStore(None, clock=self._clock), None
                _log.info("State store back: %s is used again.", self._primary.describe())


def _with_entries(counters: Sequence[Counter], counts: Counts) -> list[Counter]:
    """Return the counters with these entries in `known`."""
    return [replace(one, known=entries) for one, entries in zip(counters, counts.entries, strict=True)]
