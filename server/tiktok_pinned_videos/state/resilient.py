"""A store whose operations never fail, and counters that survive losses of the store.

While the primary store works, every operation goes to it. When it fails, this process uses memory, and tries the
primary again about once a second. When it is back, the values in memory are dropped.

A second memory has the entries of all counters that the process has seen. Each operation on a counter, and a heartbeat,
merges them into the primary. If the primary has lower entries, it has lost data. Other processes may know higher ones,
so the process waits one heartbeat before it counts on.
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
"""The key of a counter with one entry for each prefix in use, the day of the last write: a list of all prefixes."""
_HEARTBEAT: Final = 1.0
_SETTLE: Final = 1.25
"""Seconds in which every other process has a heartbeat."""
_ROUNDS: Final = 3
"""How often a count waits for other processes, in case the store keeps losing its data."""
_DAY: Final = 86_400.0
_LISTED: Final = 30 * _DAY
_MAX_WAIT: Final = 2.5
"""Seconds for an operation, with what it waits for within this process."""
_log = logging.getLogger(__name__)

R = TypeVar("R")


class ResilientStore(Store):
    """A `Store` over `primary`. Its operations never fail, and its keys in `primary` begin with `prefix`."""

    shared = True

    def __init__(self, primary: Store, *, prefix: str = "", clock: Callable[[], float] = time.time) -> None:
        self._primary = primary
        self._prefix = prefix
        self._clock = clock
        self._memory = SQLStore(None, clock=clock)
        self._known = SQLStore(None, clock=clock)
        self._owner = secrets.token_hex(6)
        self._counted: dict[str, Counter] = {}  # the counters to which this process has added
        self._counting = asyncio.Lock()
        self._settled_at = 0.0
        self._proven = False
        self._fault: StateStoreError | None = None  # why the primary cannot be used at the moment
        self._watching: asyncio.Task[None] | None = None

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
        """See `Store.count`. After a loss it waits for other processes before it counts on, for a few seconds."""
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
            self._watch()
        return counts

    async def check(self, prefix: str = "") -> None:
        """Run every operation on the primary. Raises `StateStoreError` like `Store.check`."""
        await self._on_primary(lambda store: store.check(self._prefix + prefix))
        await self._on_primary(self._list_namespace)
        self._proven = True

    async def check_usable(self) -> None:
        """Raise `UnusableStoreError` if the primary can never work as it is set up; not if it cannot be reached."""
        if not self._proven and not self._fault:
            try:
                await self.check()
            except StateStoreError as error:
                self._give_up(error)
        if isinstance(self._fault, UnusableStoreError):
            raise self._fault

    def describe(self) -> str:
        name = self._primary.describe()
        return f"{name} (degraded: memory of this process until it returns)" if self._fault else name

    async def aclose(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        for store in (self._primary, self._memory, self._known):
            await store.aclose()

    def _full(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]

    async def _list_namespace(self, store: Store) -> None:
        now = self._clock()
        await store.count([Counter(NAMESPACES, 0, now + _LISTED, known={self._prefix: int(now // _DAY)})], 0)

    async def _run(self, operation: Callable[[Store], Awaitable[R]]) -> R:
        if not self._fault:
            try:
                return await self._on_primary(operation)
            except StateStoreError as error:
                self._give_up(error)
        return await operation(self._memory)

    async def _on_primary(self, operation: Callable[[Store], Awaitable[R]]) -> R:
        try:
            async with asyncio.timeout(_MAX_WAIT):
                return await operation(self._primary)
        except TimeoutError:
            raise StateStoreError("busy for too long") from None

    # Counters

    async def _count(self, counters: Sequence[Counter], amount: int) -> Counts:
        """Count on the primary, or during an outage on what this process knows."""
        if not self._fault:
            try:
                return await self._merge(counters, amount)
            except StateStoreError as error:
                self._give_up(error)
        return await self._known.count(counters, amount)

    async def _merge(self, counters: Sequence[Counter], amount: int) -> Counts:
        known = _knowing(counters, await self._known.count(counters, 0))
        counts = await self._on_primary(lambda store: store.count(known, amount))
        await self._known.count(_knowing(counters, counts), 0)
        if counts.lost:
            self._settled_at = asyncio.get_running_loop().time() + _SETTLE
        return counts

    # Outages

    def _give_up(self, error: StateStoreError) -> None:
        if not self._fault:
            text = "State store lost: %s cannot be used (%s). Until it is back, each process uses its own memory."
            _log.warning(text, self._primary.describe(), error)
        self._fault = error
        self._watch()

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            # In a new context, because its logs and spans do not belong to the current call.
            self._watching = asyncio.create_task(self._keep_watch(), context=Context())

    async def _keep_watch(self) -> None:
        """Run during an outage, and while this process has counted on a counter that has not ended."""
        while self._fault or self._counted:
            await asyncio.sleep(_HEARTBEAT)
            self._counted = {key: one for key, one in self._counted.items() if one.until > self._clock()}
            try:
                if self._fault:
                    await self.check()
                if self._counted:
                    await self._merge(list(self._counted.values()), 0)
            except StateStoreError as error:
                self._give_up(error)
                continue
            if self._fault:
                self._settled_at = asyncio.get_running_loop().time() + _SETTLE
                await self._memory.aclose()
                self._memory, self._fault = SQLStore(None, clock=self._clock), None
                _log.info("State store back: %s is used again.", self._primary.describe())


def _knowing(counters: Sequence[Counter], counts: Counts) -> list[Counter]:
    """Return the counters with these entries as known."""
    return [replace(one, known=entries) for one, entries in zip(counters, counts.entries, strict=True)]
