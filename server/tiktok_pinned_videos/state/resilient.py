"""A store whose operations never fail, and counters that survive losses of the store.

While the primary store works, every operation goes to it. When it fails, the store logs one line and uses memory of
this process. It tries the primary again about once a second. When the primary is back, the values in memory are
dropped, except the counters.

The process keeps the entries of all counters that it has seen, its own included. Each operation on a counter merges
them into the primary, and so does a heartbeat. If the primary has lower entries than the process knows, it has lost
data. Other processes may know higher ones, so the process waits one heartbeat before it counts on.
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
"""The key of a counter with one entry for each prefix in use, so that all can be found without a list of keys."""
_HEARTBEAT: Final = 1.0
_SETTLE: Final = 1.25
"""Seconds in which every other process has a heartbeat."""
_ROUNDS: Final = 3
"""How often a count waits for other processes, in case the store keeps losing its data."""
_DAY: Final = 86_400.0
_NAMESPACE_KEPT: Final = 30 * _DAY
_PATIENCE: Final = 2.5
"""Seconds for an operation, with what it waits for within this process."""
_log = logging.getLogger(__name__)

R = TypeVar("R")


class ResilientStore(Store):
    """A `Store` over `primary`. Its operations never fail, and its keys in `primary` begin with `prefix`."""

    def __init__(
        self,
        primary: Store,
        *,
        prefix: str = "",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._primary = primary
        self._prefix = prefix
        self._clock = clock
        self._sleep = sleep
        self._memory = SQLStore(None, clock=clock)
        self._owner = secrets.token_hex(6)
        self._counters: dict[str, Counter] = {}
        self._counting = asyncio.Lock()
        self._settled_at = 0.0
        self._listed_until = 0.0
        self._proven = not primary.holds_secrets  # a file can always work
        self._unusable: UnusableStoreError | None = None
        self._watching: asyncio.Task[None] | None = None
        self.shared = primary.shared
        self.holds_secrets = primary.holds_secrets

    async def get(self, *keys: str) -> list[bytes | None]:
        return await self._run(lambda store: store.get(*self._full(keys)))

    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        full = [replace(entry, key=self._prefix + entry.key) for entry in entries]

        now = self._clock()
        if entries and not self.degraded and self._listed_until <= now:
            namespace = Counter(NAMESPACES, 0, now + _NAMESPACE_KEPT, "", {self._prefix: 1})
            await self._run(lambda store: store.count([namespace], 0))
            self._listed_until = now + _DAY
        await self._run(lambda store: store.put(*full, delete=self._full(delete)))

    async def add(self, entry: Entry) -> bool:
        return await self._run(lambda store: store.add(replace(entry, key=self._prefix + entry.key)))

    async def release(self, key: str, value: bytes) -> None:
        await self._run(lambda store: store.release(self._prefix + key, value))

    async def find(self, prefix: str, limit: int) -> list[str]:
        found = await self._run(lambda store: store.find(self._prefix + prefix, limit))
        return [key.removeprefix(self._prefix) for key in found]

    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        """See `Store.count`. After a loss it waits for other processes before it counts on, for a few seconds."""
        counters = [replace(counter, key=self._prefix + counter.key) for counter in counters]
        if not amount:
            return await self._count_once(counters, 0) or self._count_alone(counters, 0)
        async with self._counting:
            for _ in range(_ROUNDS):
                if (left := self._settled_at - asyncio.get_running_loop().time()) > 0 and not self.degraded:
                    await self._sleep(left)
                counts = await self._count_once(counters, amount)
                if counts is None:
                    break
                if not counts.lost:
                    return counts
            return self._count_alone(counters, amount)

    async def check(self, prefix: str = "") -> None:
        """Run every operation on the primary store; `StateStoreError` with the reason if one fails."""
        try:
            await self._primary.check(self._prefix + prefix)
        except UnusableStoreError as error:
            self._unusable = None if self._proven else error
            raise
        self._proven, self._unusable = True, None

    async def why_unusable(self) -> UnusableStoreError | None:
        """See `Store.why_unusable`. A store that cannot be reached may still be usable."""
        if not self._proven and not self.degraded:
            try:
                await self.check()
            except StateStoreError as error:
                self._give_up(error)
        return self._unusable

    def describe(self) -> str:
        name = self._primary.describe()
        return f"{name} (degraded: memory of this process until it returns)" if self.degraded else name

    async def aclose(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await self._primary.aclose()
        await self._memory.aclose()

    def _full(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]

    async def _run(self, operation: Callable[[Store], Awaitable[R]]) -> R:
        if not self.degraded:
            try:
                return await self._on_primary(operation)
            except StateStoreError as error:
                self._give_up(error)
        return await operation(self._memory)

    async def _on_primary(self, operation: Callable[[Store], Awaitable[R]]) -> R:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await operation(self._primary)
        except TimeoutError:
            raise StateStoreError("busy for too long") from None

    # Outages

    def _give_up(self, error: StateStoreError) -> None:
        if self.degraded:
            return
        self.degraded = True
        _log.warning(
            "State store lost: %s cannot be used (%s). Continuing with memory of this process, which is not shared; "
            "the store is tried again every %g s.",
            self._primary.describe(),
            error,
            _HEARTBEAT,
        )
        self._watch()

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            # In a new context, because its logs and spans do not belong to the current call.
            self._watching = asyncio.create_task(self._keep_watch(), context=Context())

    async def _keep_watch(self) -> None:
        """Run during an outage, and while this process has counted on a counter that has not ended."""
        while self.degraded or self._own():
            await self._sleep(_HEARTBEAT)
            try:
                if self.degraded:
                    await self.check()
                await self._merge()
            except StateStoreError as error:  # logged only at the start of an outage
                self._give_up(error)
            else:
                if self.degraded:
                    self._note_loss()
                    await self._memory.aclose()
                    self._memory, self.degraded = SQLStore(None, clock=self._clock), False
                    _log.info("State store back: %s is used again.", self._primary.describe())

    # Counters

    async def _count_once(self, counters: Sequence[Counter], amount: int) -> Counts | None:
        """Count on the primary; None during an outage."""
        known = [self._with_known(counter) for counter in counters]
        try:
            counts = None if self.degraded else await self._on_primary(lambda store: store.count(known, amount))
        except StateStoreError as error:
            self._give_up(error)
            return None
        if counts is not None:
            self._learn(counters, counts)
        return counts

    def _count_alone(self, counters: Sequence[Counter], amount: int) -> Counts:
        """Count on the entries that this process knows."""
        known = [self._with_known(counter) for counter in counters]
        granted = amount > 0 and all(sum(one.known.values()) + amount <= one.ceiling for one in known)
        added = amount if granted else 0
        counts = Counts(granted, tuple({**one.known, self._owner: one.known[self._owner] + added} for one in known))
        self._learn(counters, counts)
        return counts

    def _with_known(self, counter: Counter) -> Counter:
        before = self._counters.get(counter.key)
        return replace(counter, owner=self._owner, known=before.known if before else {self._owner: 0})

    def _learn(self, counters: Sequence[Counter], counts: Counts) -> None:
        for counter, entries in zip(counters, counts.entries, strict=True):
            before = self._with_known(counter).known
            known = {**before, **{owner: max(value, before.get(owner, 0)) for owner, value in entries.items()}}
            self._counters[counter.key] = replace(counter, known=known)
        if counts.lost:
            self._note_loss()
        if counts.granted:
            self._watch()

    def _own(self) -> list[Counter]:
        """Return the counters to which this process has added and that have not ended."""
        now = self._clock()
        self._counters = {key: counter for key, counter in self._counters.items() if counter.until > now}
        return [one for one in self._counters.values() if one.known.get(self._owner)]

    async def _merge(self) -> None:
        if counters := self._own():
            counts = await self._primary.count([self._with_known(one) for one in counters], 0)
            self._learn(counters, counts)

    def _note_loss(self) -> None:
        self._settled_at = asyncio.get_running_loop().time() + _SETTLE
        self._listed_until = 0.0
