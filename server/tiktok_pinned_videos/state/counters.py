"""What this process knows of the counters in a store, and how a store that knows less is restored.

A counter stands for something already spent, so it only rises. A store that says less than it said before has lost what
it held; it is raised again to what was seen, and what was counted without it is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .base import StateStore

# When more counters than this are known, the expired ones are let go.
_BEFORE_PURGE = 1000


@dataclass(slots=True)
class Counter:
    """One counter, as far as this process knows it."""

    key: str
    expires_at: float
    seen: int = 0
    """The highest figure that the store has said."""
    pending: int = 0
    """What was counted during an outage and not yet added to the store."""

    def saw(self, total: int) -> None:
        """Replies may arrive out of order; a counter only rises."""
        self.seen = max(self.seen, total)


class Counters:
    """Those that have not expired. `clock` in Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counters: dict[str, Counter] = {}

    def get(self, key: str, ttl: float) -> Counter:
        """The counter of that key; a new one lives for `ttl` seconds."""
        counter = self._counters.get(key)
        if counter is None or counter.expires_at <= self._clock():
            if len(self._counters) > _BEFORE_PURGE:
                self._counters = {counter.key: counter for counter in self.living()}
            counter = self._counters[key] = Counter(key, self._clock() + ttl)
        return counter

    def living(self) -> list[Counter]:
        """Every one."""
        now = self._clock()
        return [counter for counter in self._counters.values() if counter.expires_at > now]

    async def lower_in(self, store: StateStore) -> bool:
        """Whether a store says less of any than it said before."""
        counters = [(counter, counter.seen) for counter in self.living()]
        if not counters:  # the last has just expired; Redis calls a question about no key a fault
            return False
        values = await store.get_many([counter.key for counter, _ in counters])
        return any(int(value or 0) < seen for value, (_, seen) in zip(values, counters, strict=True))

    async def restore(self, store: StateStore) -> None:
        """Have a store say at least what was seen."""
        for counter in self.living():
            counter.saw(await store.raise_to(counter.key, counter.seen, ttl=self._left(counter)))

    async def copy_to(self, memory: StateStore) -> None:
        """Have a memory that stands in for the store go on from here."""
        for counter in self.living():
            await memory.raise_to(counter.key, counter.seen + counter.pending, ttl=self._left(counter))

    async def add_pending(self, store: StateStore) -> bool:
        """Add what was counted without the store; whether there was anything."""
        waiting = [counter for counter in self.living() if counter.pending]
        for counter in waiting:
            amount = counter.pending
            total = await store.increment(counter.key, amount, ttl=self._left(counter))
            counter.pending -= amount
            counter.saw(total or 0)
        return bool(waiting)

    def _left(self, counter: Counter) -> float:
        return max(0.001, counter.expires_at - self._clock())
