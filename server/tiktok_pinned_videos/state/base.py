"""The `StateStore` contract: small values that expire, kept for one process, one user's processes or a fleet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .steps import R, Step, Write


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
    degraded: bool = False
    """Whether memory of this process stands in for the store just now."""

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

    async def ping(self) -> None:
        """Write something, to see that writing works; `StateStoreError` with the reason when it does not."""
        await self.do(Write(("ping",), b"1", 1.0))
