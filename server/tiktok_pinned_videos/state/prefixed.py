"""A store seen through a prefix: whoever uses it names keys without knowing for which source they are kept."""

from __future__ import annotations

from collections.abc import Sequence

from .base import StateStore


class PrefixedStore:
    """A `StateStore` on another whose keys all begin with `prefix`. Every method: see `StateStore`."""

    def __init__(self, store: StateStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    @property
    def shared(self) -> bool:
        """As of the store behind it."""
        return self._store.shared

    @property
    def holds_secrets(self) -> bool:
        """As of the store behind it."""
        return self._store.holds_secrets

    @property
    def degraded(self) -> bool:
        """As of the store behind it."""
        return self._store.degraded

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._store.get(self._prefix + key)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `StateStore.get_many`."""
        return await self._store.get_many([self._prefix + key for key in keys])

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        await self._store.set(self._prefix + key, value, ttl=ttl)

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""
        return await self._store.add(self._prefix + key, value, ttl=ttl)

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.renew`."""
        return await self._store.renew(self._prefix + key, value, ttl=ttl)

    async def hold(self, key: str, *, ttl: float) -> None:
        """See `StateStore.hold`."""
        await self._store.hold(self._prefix + key, ttl=ttl)

    async def remaining(self, key: str) -> float:
        """See `StateStore.remaining`."""
        return await self._store.remaining(self._prefix + key)

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        return await self._store.delete(*(self._prefix + key for key in keys), expected=expected)

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """See `StateStore.increment`."""
        return await self._store.increment(self._prefix + key, amount, ttl=ttl, ceiling=ceiling, least=least)

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """See `StateStore.raise_to`."""
        return await self._store.raise_to(self._prefix + key, least, ttl=ttl)

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`."""
        found = await self._store.keys(self._prefix + prefix, limit=limit)
        return [key.removeprefix(self._prefix) for key in found]

    def describe(self) -> str:
        """See `StateStore.describe`."""
        return self._store.describe()

    async def ping(self) -> None:
        """See `StateStore.ping`."""
        await self.set("ping", b"1", ttl=1.0)

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._store.aclose()
