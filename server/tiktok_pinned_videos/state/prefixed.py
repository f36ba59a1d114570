"""A store seen through a prefix: whoever uses it names keys without knowing for which source they are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .base import StateStore
from .steps import Find, Step


class PrefixedStore(StateStore):
    """A `StateStore` on another whose keys all begin with `prefix`."""

    def __init__(self, store: StateStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self.shared = store.shared
        self.holds_secrets = store.holds_secrets

    async def run(self, *steps: Step[Any]) -> list[Any]:
        """See `StateStore.run`."""
        prefix = self._prefix
        results = await self._store.run(
            *(replace(step, keys=tuple([prefix + key for key in step.keys])) for step in steps)
        )
        return [
            [key.removeprefix(prefix) for key in result] if isinstance(step, Find) else result
            for step, result in zip(steps, results, strict=True)
        ]

    def describe(self) -> str:
        """See `StateStore.describe`."""
        return self._store.describe()

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._store.aclose()
