"""A store that never fails a call. Knows outages, and what counters were last seen at; refuses to know any medium.

While the primary store works, everything goes to it. When it fails or stalls, one line is logged and everything goes
to the memory of this process. From `retry_after` seconds later on, the next operation starts a try in the background,
and so on until one succeeds. No operation waits for a try, so an outage delays a caller by `limit` seconds at most, and
only callers that were under way when it began.

Counters stand for something already spent, so they outlive an outage: memory goes on from the figure last seen, and
when the primary returns it is raised to that figure, should it have forgotten, before what was counted meanwhile is
added. A step that was cut off may have been carried out all the same and is then counted twice: a count may come out
too high, not too low. Whatever else was written during an outage is dropped at its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol, TypeVar

from .base import StateStore, StateStoreError
from .memory import MemoryStore, as_count

# Tells a primary that lost everything (a Redis restarted without persistence) from one that we know.
_MARK = "state:mark"
_DAY = 86400.0
_MARK_TTL = 35 * _DAY
_FLOOR = "state:floor:"

# When more counters than this are remembered, the expired ones are let go.
_COUNTERS_BEFORE_PURGE = 1000

_T = TypeVar("_T")


class PrimaryStore(StateStore, Protocol):
    """A `StateStore` whose counters tell when they expire."""

    async def remaining(self, key: str) -> float | None:
        """Seconds until the key expires, or None when absent or expired."""
        ...


@dataclass(slots=True)
class _Counter:
    seen: int
    """What the primary last said."""
    expires_at: float
    pending: int = 0
    """What was counted during an outage and not yet told to the primary."""


class ResilientStore:
    """A `StateStore` over `primary` whose operations raise nothing and take at most `limit` seconds.

    `limit` is below `retry_after` (both in seconds), so what was under way when an outage began has ended before the
    primary is used again, and cannot be taken for the next outage.
    """

    def __init__(
        self,
        primary: PrimaryStore,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        limit: float = 0.8,
        retry_after: float = 1.5,
        log: logging.Logger | None = None,
    ) -> None:
        if limit >= retry_after:
            raise ValueError("limit must be below retry_after")
        self._primary = primary
        self._clock = clock
        self._monotonic = monotonic
        self._limit = limit
        self._retry_after = retry_after
        self._log = log or logging.getLogger(__name__)
        self._memory = MemoryStore(clock=clock)
        self._retry_at: float | None = None
        self._trying: asyncio.Task[None] | None = None
        self._counters: dict[str, _Counter] = {}
        self._mark: bytes | None = None
        self._mark_due = 0.0

    @property
    def shared(self) -> bool:
        """Whether the primary is shared; whether it serves now says `degraded`."""
        return self._primary.shared

    @property
    def holds_secrets(self) -> bool:
        """See `StateStore.holds_secrets`."""
        return self._primary.holds_secrets

    @property
    def degraded(self) -> bool:
        """Whether memory stands in for the primary now."""
        return self._retry_at is not None

    def describe(self) -> str:
        """What holds the state now, in words and without secrets."""
        name = self._primary.describe()
        return f"{name} (degraded: memory of this process until it returns)" if self.degraded else name

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._either(lambda store: store.get(key))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        await self._either(lambda store: store.set(key, value, ttl=ttl))
        self._counters.pop(key, None)

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""
        added = await self._either(lambda store: store.add(key, value, ttl=ttl))
        if added:
            self._counters.pop(key, None)
        return added

    async def delete(self, key: str, *, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        removed = await self._either(lambda store: store.delete(key, expected=expected))
        if removed or expected is None:
            self._counters.pop(key, None)
        return removed

    async def increment(self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None) -> int | None:
        """See `StateStore.increment`."""

        async def count(store: StateStore) -> int | None:
            return await store.increment(key, amount, ttl=ttl, ceiling=ceiling)

        if self._primary_serves():
            try:
                total = await self._bounded(count(self._primary))
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._lost(error)
            else:
                return await self._counted(key, total, amount, ttl=ttl, ceiling=ceiling)
        total = await count(self._memory)
        if total is not None:
            self._counter(key, ttl).pending += amount
        return total

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`."""
        return await self._either(lambda store: store.keys(prefix, limit=limit))

    async def ping(self) -> None:
        """Try the primary for someone who wants to know; `StateStoreError` says why it cannot be used."""
        self._primary_serves()
        try:
            await self._bounded(self._primary.ping())
        except TimeoutError:
            raise StateStoreError(self._reason(TimeoutError())) from None

    async def aclose(self) -> None:
        """See `StateStore.aclose`. No task is left behind."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait([self._trying])
        with suppress(StateStoreError):
            await self._primary.aclose()

    async def _either(self, operation: Callable[[StateStore], Awaitable[_T]]) -> _T:
        if self._primary_serves():
            try:
                return await self._bounded(operation(self._primary))
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._lost(error)
        return await operation(self._memory)

    async def _bounded(self, work: Awaitable[_T]) -> _T:
        async with asyncio.timeout(self._limit):
            return await work

    # Outages

    def _primary_serves(self) -> bool:
        if self._retry_at is None:
            return True
        if (self._trying is None or self._trying.done()) and self._monotonic() >= self._retry_at:
            # In a context of its own: what it logs and sends belongs to no call.
            self._trying = asyncio.create_task(self._try(), context=Context())
        return False

    async def _lost(self, error: Exception) -> None:
        if self._retry_at is not None:
            return
        self._retry_at = self._monotonic() + self._retry_after
        self._log.warning(
            "State store lost: %s cannot be used (%s). Going on with the memory of this process, shared with nobody; "
            "calls from %g s later on try it again.",
            self._primary.describe(),
            self._reason(error),
            self._retry_after,
        )
        for key, counter in self._living_counters():
            await self._count_on_in_memory(key, counter)

    def _reason(self, error: Exception) -> str:
        match error:
            case StateStoreError():
                return str(error)
            case TimeoutError():
                return f"no answer within {self._limit:g} s"
            case _:
                # What an unforeseen error says may be anything, a secret too.
                return type(error).__name__

    async def _try(self) -> None:
        """Use the primary again if it works, after telling it what was counted without it."""
        started = self._monotonic()
        try:
            await self._bounded(self._primary.ping())
            await self._restore()
            # Calls go on counting in memory meanwhile. The last look at what is pending and the end of the outage
            # have no await between them, so nothing falls between the two.
            while pending := [(key, counter) for key, counter in self._living_counters() if counter.pending]:
                for key, counter in pending:
                    amount, ttl = counter.pending, counter.expires_at - self._clock()
                    total = await self._bounded(self._primary.increment(key, amount, ttl=ttl))
                    counter.pending -= amount
                    counter.seen = total or 0
        except Exception:  # said when the outage began; the next try is due all the same
            self._retry_at = started + self._retry_after
            return
        self._memory = MemoryStore(clock=self._clock)
        self._retry_at = None
        self._log.info("State store back: %s is used again.", self._primary.describe())

    # Counters

    def _living_counters(self) -> list[tuple[str, _Counter]]:
        now = self._clock()
        return [(key, counter) for key, counter in self._counters.items() if counter.expires_at > now]

    def _counter(self, key: str, ttl: float) -> _Counter:
        counter = self._counters.get(key)
        if counter is None or counter.expires_at <= self._clock():
            if len(self._counters) > _COUNTERS_BEFORE_PURGE:
                self._counters = dict(self._living_counters())
            counter = self._counters[key] = _Counter(seen=0, expires_at=self._clock() + ttl)
        return counter

    async def _counted(
        self, key: str, total: int | None, amount: int, *, ttl: float, ceiling: int | None
    ) -> int | None:
        """Remember what the primary answered to an increment, and correct it if the primary has lost its memory."""
        counter = self._counters.get(key)
        new = counter is None or counter.expires_at <= self._clock()
        counter = self._counter(key, ttl)
        # A refusal tells that others have counted at least so far.
        at_least = total if total is not None else (ceiling or 0) - amount + 1
        before, counter.seen = counter.seen, at_least if amount < 0 else max(counter.seen, at_least)
        try:
            if new and total != amount:
                left = await self._bounded(self._primary.remaining(key))
                counter.expires_at = self._clock() + (left or ttl)
            if self._mark is None:
                await self._learn_mark()
            elif self._clock() >= self._mark_due and not await self._has_forgotten():
                # An expired mark would look like a primary that has forgotten.
                await self._bounded(self._primary.set(_MARK, self._mark, ttl=_MARK_TTL))
                self._mark_due = self._clock() + _DAY
            elif not new and total is not None and total < before + amount and await self._has_forgotten():
                counter.seen = before
                total = await self._recount(key, counter, amount, ceiling)
        except Exception as error:  # the increment itself was answered
            await self._lost(error)
        if self._retry_at is not None:
            await self._count_on_in_memory(key, counter)
        return total

    async def _recount(self, key: str, counter: _Counter, amount: int, ceiling: int | None) -> int | None:
        await self._restore()
        held = as_count(await self._bounded(self._primary.get(key)) or b"")
        total = counter.seen = held or 0
        if ceiling is None or total <= ceiling:
            return total
        await self._bounded(self._primary.increment(key, -amount, ttl=1.0))
        counter.seen -= amount
        return None

    async def _count_on_in_memory(self, key: str, counter: _Counter) -> None:
        ttl = counter.expires_at - self._clock()
        await self._memory.delete(key)
        await self._memory.add(key, b"%d" % (counter.seen + counter.pending), ttl=ttl)

    async def _restore(self) -> None:
        """Tell a primary that has forgotten what its counters were, each replica as far as it knew."""
        if self._mark is not None and await self._has_forgotten():
            for key, counter in self._living_counters():
                await self._raise_floor(key, counter.seen, ttl=counter.expires_at - self._clock())
        await self._learn_mark()

    async def _raise_floor(self, key: str, seen: int, *, ttl: float) -> None:
        # What the replicas knew before overlaps, what they have counted since does not. So the former is agreed on in
        # a counter beside it, the highest that any of them saw, and each adds just what it raised that one by.
        floor = f"{_FLOOR}{key}"
        while True:
            agreed = as_count(await self._bounded(self._primary.get(floor)) or b"") or 0
            if seen <= agreed:
                return
            # The ceiling makes this harmless when another replica has raised it since it was read.
            if await self._bounded(self._primary.increment(floor, seen - agreed, ttl=ttl, ceiling=seen)) is not None:
                await self._bounded(self._primary.increment(key, seen - agreed, ttl=ttl))
                return

    async def _learn_mark(self) -> None:
        mark = token_hex(8).encode()
        written = await self._bounded(self._primary.add(_MARK, mark, ttl=_MARK_TTL))
        self._mark = mark if written else await self._bounded(self._primary.get(_MARK))
        self._mark_due = self._clock() + _DAY

    async def _has_forgotten(self) -> bool:
        return await self._bounded(self._primary.get(_MARK)) != self._mark
