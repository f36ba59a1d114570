"""The `Store` protocol: six operations on small values that expire, and counters that processes merge."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

COUNTERS_KEPT: Final = 86_400.0
"""Seconds for which a counter is kept after its end."""


class StateStoreError(Exception):
    """An operation of a store failed. `ResilientStore` catches it and continues in memory."""


class UnusableStoreError(StateStoreError):
    """A store that can never work as it is set up: waiting does not help, changing the configuration does."""

    next_step = (
        "Set TIKTOK_STATE to a Redis 6.2 or later, not in cluster mode, whose user may run all commands on keys that "
        "begin with tpv:, or to sqlite:////PATH."
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A value to be stored for `ttl` seconds."""

    key: str
    value: bytes
    ttl: float


@dataclass(frozen=True, slots=True)
class Counter:
    """A grow-only counter: the sum of one entry per process, merged by taking the higher value of each entry.

    Merging is idempotent, so lost replies and lost data need no bookkeeping. `until`: when counting ends, in Unix
    seconds. `ceiling`: the highest sum; an addition beyond it is not granted. `owner`: the process that counts.
    `known`: the entries that it knows, its own included.
    """

    key: str
    ceiling: int
    until: float
    owner: str = ""
    known: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Counts:
    """Whether the amount was added to all counters, and the entries of each after merging, by process.

    `lost`: the store had lower entries than the process knows. Then these are merged, and nothing is added.
    """

    granted: bool
    entries: tuple[Mapping[str, int], ...]
    lost: bool = False

    @property
    def totals(self) -> list[int]:
        """The sum of each counter."""
        return [sum(entries.values()) for entries in self.entries]


class Store(ABC):
    """A key-value store with expiry. Keys are short ASCII text, values are bytes.

    Every operation is atomic across all processes, takes a few seconds at most, and raises only `StateStoreError`.
    """

    shared: bool = False
    """Whether other processes can see what is written here."""

    @abstractmethod
    async def get(self, *keys: str) -> list[bytes | None]:
        """Return the values of all keys as of one moment; None where absent or expired."""

    @abstractmethod
    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        """Store the entries and delete the keys in one transaction."""

    @abstractmethod
    async def add(self, entry: Entry) -> bool:
        """Store the entry if its key is absent, and return whether it was."""

    @abstractmethod
    async def release(self, key: str, value: bytes) -> None:
        """Delete the key if it has this value."""

    @abstractmethod
    async def find(self, prefix: str, limit: int) -> list[str]:
        """Return up to `limit` keys that begin with `prefix`, in no order."""

    @abstractmethod
    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        """Merge the known entries into the counters, then add `amount` to all or none. 0 only merges and reads."""

    @abstractmethod
    def describe(self) -> str:
        """Name the store and whether it works, without any secret."""

    @abstractmethod
    async def aclose(self) -> None:
        """Release connections and files; the store is not used afterwards. Raises nothing."""

    async def check(self, prefix: str = "") -> None:
        """Run every operation once, on keys that begin with `prefix`.

        Raises `StateStoreError` with the reason if one fails, `UnusableStoreError` if waiting cannot help.
        """
        mark = secrets.token_hex(8)
        key, value = f"{prefix}check:{mark}", mark.encode()
        counter = Counter(f"{key}:count", 1, time.time() + 10 - COUNTERS_KEPT)
        await self.put(Entry(key, value, 10.0), Entry(f"{key}:2", value, 10.0))
        seen = await self.get(key, f"{key}:2")
        added = await self.add(Entry(key, value, 10.0))
        found = await self.find(f"{prefix}check:", 1)
        counts = await self.count([counter])
        await self.release(key, value)
        await self.release(f"{key}:2", value)
        if seen != [value, value] or added or not found or not counts.granted:
            raise StateStoreError("it does not return what was just written")

    async def check_usable(self) -> None:
        """Raise `UnusableStoreError` if the store can never work as it is set up. Memory always works."""
        return
