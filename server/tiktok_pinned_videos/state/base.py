"""The `StateStore` contract: small values that expire, kept for one process, one user's processes or a fleet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from .steps import Delete, Find, Hold, Increment, RaiseTo, Read, Remaining, Renew, Step, Write

R = TypeVar("R")


class StateStoreError(Exception):
    """A store could not do what was asked. Never reaches a call: `ResilientStore` goes on in memory."""


class CounterLostError(StateStoreError):
    """A counter is lower than it was known to be: the store has lost what it held. Raise it, then count again."""


class StateStore(ABC):
    """Carries out `steps`.

    Keys are short ASCII text chosen by the callers; values are bytes, opaque here. Every entry expires: a `ttl` is in
    seconds (positive) and counts from the write.
    """

    shared: bool = False
    """Whether other processes can see what is written here."""
    holds_secrets: bool = False
    """Whether an access token may be kept here (never on a disk of ours)."""

    @property
    def degraded(self) -> bool:
        """Whether memory of this process stands in for the store just now."""
        return False

    @abstractmethod
    async def run(self, *steps: Step[Any]) -> list[Any]:
        """The result of each step, done in this order, in one round trip where the medium knows such.

        Bounded in time once it has begun. Raises `StateStoreError` and nothing else where the medium cannot be used;
        some of the steps may have been done then.
        """

    @abstractmethod
    def describe(self) -> str:
        """What it is and whether it serves, in a few words without any secret."""

    async def aclose(self) -> None:  # noqa: B027 - memory has nothing to release
        """Release connections and files; the store is not used afterwards."""

    async def do(self, step: Step[R]) -> R:
        """The result of one step."""
        result: R = (await self.run(step))[0]
        return result

    async def get(self, key: str) -> bytes | None:
        """See `Read`."""
        return (await self.do(Read((key,))))[0]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Read`."""
        return await self.do(Read(tuple(keys)))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `Write`."""
        await self.do(Write((key,), value, ttl))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `Write`: only if the key is absent."""
        return await self.do(Write((key,), value, ttl, only_if_absent=True))

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `Renew`."""
        return await self.do(Renew((key,), value, ttl))

    async def hold(self, key: str, *, ttl: float) -> None:
        """See `Hold`."""
        await self.do(Hold((key,), ttl))

    async def remaining(self, key: str) -> float:
        """See `Remaining`."""
        return await self.do(Remaining((key,)))

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """See `Delete`."""
        return await self.do(Delete(keys, expected))

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """See `Increment`."""
        return await self.do(Increment((key,), amount, ttl, ceiling, least))

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """See `RaiseTo`."""
        return await self.do(RaiseTo((key,), least, ttl))

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `Find`."""
        return await self.do(Find((prefix,), limit))

    async def ping(self) -> None:
        """Write something, to see that writing works; `StateStoreError` with the reason when it does not."""
        await self.set("ping", b"1", ttl=1.0)
