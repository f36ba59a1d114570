"""What this process knows of the counters in a store: how far it has seen each, and what it has yet to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# When more counters than this are remembered, the expired ones are let go.
_BEFORE_PURGE = 1000


@dataclass(slots=True)
class Counter:
    """One counter, as far as this process knows it."""

    expires_at: float
    seen: int = 0
    """The highest figure that the store has said."""
    pending: int = 0
    """What was counted during an outage and not yet told to the store."""

    def saw(self, total: int) -> None:
        """Replies may arrive out of order; a counter only rises."""
        self.seen = max(self.seen, total)

    def left(self, now: float) -> float:
        """Seconds it lives on."""
        return max(0.001, self.expires_at - now)


class Counters:
    """Those that have not expired."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counters: dict[str, Counter] = {}

    def living(self, key: str, ttl: float) -> Counter:
        """The counter of that key; a new one lives for `ttl` seconds."""
        counter = self._counters.get(key)
        if counter is None or counter.expires_at <= self._clock():
            if len(self._counters) > _BEFORE_PURGE:
                self._counters = dict(self.all_living())
            counter = self._counters[key] = Counter(expires_at=self._clock() + ttl)
        return counter

    def forget(self, *keys: str) -> None:
        """Those keys are written as something else now."""
        for key in keys:
            self._counters.pop(key, None)

    def all_living(self) -> list[tuple[str, Counter]]:
        """Every one, by its key."""
        now = self._clock()
        return [(key, counter) for key, counter in self._counters.items() if counter.expires_at > now]
