"""Entries in the memory of one process. Knows expiry and its bounds; refuses to know disks, networks and threads.

The bounds are a rule of thumb against growing without end, not a cache policy. When a write takes the store beyond
`MOST_ENTRIES` or `MOST_BYTES`, expired entries go first, then those written by `set` that would expire soonest, until
a tenth is free again. What `add` or `increment` wrote is a lock or a counter: small, and dropping it alive would be
wrong rather than slow, so it is never dropped before it expires.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from .base import CounterLostError

MOST_ENTRIES = 20_000
MOST_BYTES = 64 * 1024 * 1024


class _Entry(NamedTuple):
    value: bytes
    expires_at: float
    lasting: bool
    """Whether it has to live until it expires."""


class MemoryStore:
    """A `StateStore` for one event loop. No method ever suspends, so each is atomic as the contract asks."""

    shared = False
    holds_secrets = True
    degraded = False

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        entry = self._entries.get(key)
        if entry is None or entry.expires_at <= self._clock():
            return None
        return entry.value

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `StateStore.get_many`."""
        return [await self.get(key) for key in keys]

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        self._write(key, _Entry(value, self._clock() + ttl, lasting=False))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""
        if self._alive(key) is not None:
            return False
        self._write(key, _Entry(value, self._clock() + ttl, lasting=True))
        return True

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.renew`."""
        entry = self._alive(key)
        if entry is None or entry.value != value:
            return False
        self._write(key, entry._replace(expires_at=self._clock() + ttl))
        return True

    async def hold(self, key: str, *, ttl: float) -> None:
        """See `StateStore.hold`."""
        if await self.remaining(key) < ttl:
            self._write(key, _Entry(b"1", self._clock() + ttl, lasting=True))

    async def remaining(self, key: str) -> float:
        """See `StateStore.remaining`."""
        entry = self._alive(key)
        return 0.0 if entry is None else entry.expires_at - self._clock()

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        living = [(key, self._alive(key)) for key in keys]
        doomed = [key for key, entry in living if entry is not None and expected in (None, entry.value)]
        for key in doomed:
            self._drop(key)
        return bool(doomed)

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """See `StateStore.increment`."""
        before = self._count(key)
        if (before or 0) < least:
            raise CounterLostError(f"{before or 0} instead of {least} or more")
        total = (before or 0) + amount
        if ceiling is not None and total > ceiling:
            return None
        self._write_count(key, total, ttl)
        return total

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """See `StateStore.raise_to`."""
        total = max(self._count(key) or 0, least)
        self._write_count(key, total, ttl)
        return total

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`."""
        now = self._clock()
        living = (key for key, entry in self._entries.items() if key.startswith(prefix) and entry.expires_at > now)
        return list(islice(living, max(0, limit)))

    async def ping(self) -> None:
        """Memory is always there."""

    def describe(self) -> str:
        """What holds the state, in words."""
        return "memory of this process"

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        self._entries.clear()
        self._bytes = 0

    def _count(self, key: str) -> int | None:
        entry = self._alive(key)
        return None if entry is None else as_count(entry.value)

    def _write_count(self, key: str, total: int, ttl: float) -> None:
        entry = self._alive(key)
        counts = entry is not None and as_count(entry.value) is not None
        expires_at = entry.expires_at if entry is not None and counts else self._clock() + ttl
        self._write(key, _Entry(b"%d" % total, expires_at, lasting=True))

    def _alive(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None or entry.expires_at > self._clock():
            return entry
        self._drop(key)
        return None

    def _drop(self, key: str) -> None:
        self._bytes -= len(self._entries.pop(key).value)

    def _write(self, key: str, entry: _Entry) -> None:
        if key in self._entries:
            self._drop(key)
        self._entries[key] = entry
        self._bytes += len(entry.value)
        if len(self._entries) > MOST_ENTRIES or self._bytes > MOST_BYTES:
            self._make_room()

    def _make_room(self) -> None:
        now = self._clock()
        for key in [key for key, entry in self._entries.items() if entry.expires_at <= now]:
            self._drop(key)
        # A tenth at a time, so that the sorting is paid once in many writes.
        by_expiry = sorted((entry.expires_at, key) for key, entry in self._entries.items() if not entry.lasting)
        for _, key in by_expiry:
            if len(self._entries) <= MOST_ENTRIES * 0.9 and self._bytes <= MOST_BYTES * 0.9:
                return
            self._drop(key)


def as_count(value: bytes) -> int | None:
    """The number that a counter's digits say, or None for a value that is no counter."""
    digits = value.removeprefix(b"-")
    return int(value) if digits.isdigit() else None
