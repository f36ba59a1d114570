"""Entries in the memory of one process. Knows expiry and its bounds; refuses to know disks, networks and threads.

The bounds are a rule of thumb against growing without end, not a cache policy. When a write takes the store beyond
`MAX_ENTRIES` or `MAX_BYTES`, expired entries go first, then those that would expire soonest, until a tenth is free
again. A lock or a counter is small, and dropping it alive would be wrong rather than slow: it stays until it expires.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from .base import StateStore
from .steps import Step
from .table import Entry, perform

MAX_ENTRIES = 20_000
MAX_BYTES = 64 * 1024 * 1024


class MemoryStore(StateStore):
    """A `StateStore` for one event loop. `run` never suspends, so all its steps are one."""

    holds_secrets = True

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._bytes = 0

    async def run(self, *steps: Step[Any]) -> list[Any]:
        """See `StateStore.run`."""
        now = self._clock()
        return [perform(step, self, now) for step in steps]

    def describe(self) -> str:
        """What holds the state, in words."""
        return "memory of this process"

    # The table

    def read(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """See `Table.read`."""
        now, entries = self._clock(), self._entries
        return {key: entry for key in keys if (entry := entries.get(key)) is not None and entry.expires_at > now}

    def write(self, key: str, entry: Entry) -> None:
        """See `Table.write`."""
        if key in self._entries:
            self.drop([key])
        self._entries[key] = entry
        self._bytes += len(entry.value)
        if len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self._make_room()

    def drop(self, keys: Sequence[str]) -> None:
        """See `Table.drop`."""
        for key in keys:
            self._bytes -= len(self._entries.pop(key).value)

    def find(self, prefix: str, limit: int) -> list[str]:
        """See `Table.find`."""
        now = self._clock()
        living = (key for key, entry in self._entries.items() if key.startswith(prefix) and entry.expires_at > now)
        return list(islice(living, max(0, limit)))

    def _make_room(self) -> None:
        now = self._clock()
        self.drop([key for key, entry in self._entries.items() if entry.expires_at <= now])
        # A tenth at a time, so that the sorting is paid once in many writes.
        by_expiry = sorted((entry.expires_at, key) for key, entry in self._entries.items() if not entry.lasting)
        for _, key in by_expiry:
            if len(self._entries) <= MAX_ENTRIES * 0.9 and self._bytes <= MAX_BYTES * 0.9:
                return
            self.drop([key])
