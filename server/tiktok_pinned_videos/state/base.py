"""The `StateStore` protocol. Its docstrings are the contract that all implementations are tested against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class StateStoreError(Exception):
    """A store could not do what was asked. Never reaches a call: `ResilientStore` turns it into a miss."""


class CounterLostError(StateStoreError):
    """A counter is lower than it was known to be: the store has lost what it held. Nothing was counted."""


class StateStore(Protocol):
    """Small values that expire, kept for one process, one user's processes or a fleet.

    Keys are short ASCII text chosen by the callers; values are bytes, opaque here. Every entry expires: `ttl` is in
    seconds (a positive float) and counts from the write. Each method is atomic by itself across all users of the same
    store, and bounded in time once it has begun. An implementation raises `StateStoreError` and nothing else when it
    cannot reach or use its medium.
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

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of several keys as of one moment, in one round trip."""
        ...

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Write the value, replacing what was there."""
        ...

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Write the value only if the key is absent or expired; True when this call wrote it."""
        ...

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Have the key live for `ttl` from now on, only while it holds that value; True when it does."""
        ...

    async def hold(self, key: str, *, ttl: float) -> None:
        """Have the key live for at least `ttl` from now on; a longer life is left as it is."""
        ...

    async def remaining(self, key: str) -> float:
        """Seconds until the key expires, 0.0 when absent; by the store's own clock."""
        ...

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """Remove the keys (with `expected`: each only while it holds that value); True when any was removed."""
        ...

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """Add `amount` (positive) to a counter that starts at 0 and return the new value.

        With `ceiling`, a sum beyond it changes nothing and returns None. `ttl` is set when the counter is created.
        `least` is what the counter is known to have been: `CounterLostError` when it is lower.
        """
        ...

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """Have a counter be at least `least`, and return its value. `ttl` is set when it had none."""
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
        """Write something, to see that writing works; `StateStoreError` with the reason when it does not."""
        ...

    async def aclose(self) -> None:
        """Release connections and files; the store is not used afterwards."""
        ...
