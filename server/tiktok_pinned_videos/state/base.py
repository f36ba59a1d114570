"""The `StateStore` protocol. Its docstrings are the contract that all implementations are tested against."""

from __future__ import annotations

from typing import Protocol


class StateStoreError(Exception):
    """A store could not do what was asked. Never reaches a call: `ResilientStore` turns it into a miss."""


class StateStore(Protocol):
    """Small values that expire, kept for one process, one user's processes or a fleet.

    Keys are short ASCII text chosen by the callers; values are bytes, opaque here. Every entry expires: `ttl` is in
    seconds (a positive float) and counts from the write. Each method is atomic by itself across all users of the same
    store. An implementation raises `StateStoreError` and nothing else when it cannot reach or use its medium.
    """

    @property
    def shared(self) -> bool:
        """Whether other processes can see what is written here."""
        ...

    @property
    def holds_secrets(self) -> bool:
        """Whether an access token may be kept here (never on a disk of ours)."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value, or None when absent or expired. Counters read as their decimal digits."""
        ...

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Write the value, replacing what was there."""
        ...

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Write the value only if the key is absent or expired; True when this call wrote it."""
        ...

    async def delete(self, key: str, *, expected: bytes | None = None) -> bool:
        """Remove the key (with `expected`: only while it holds that value); True when something was removed."""
        ...

    async def increment(self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None) -> int | None:
        """Add `amount` to a counter that starts at 0 and return the new value.

        With `ceiling`, a sum beyond it changes nothing and returns None. `ttl` is set when the counter is created.
        """
        ...

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """Up to `limit` living keys that begin with `prefix`, in no order."""
        ...

    @property
    def degraded(self) -> bool:
        """Whether memory of this process stands in for the store just now."""
        ...

    def describe(self) -> str:
        """What it is and whether it serves, in a few words without any secret."""
        ...

    async def ping(self) -> None:
        """Raise `StateStoreError` with the reason when the store cannot be used now."""
        ...

    async def aclose(self) -> None:
        """Release connections and files; the store is not used afterwards."""
        ...
