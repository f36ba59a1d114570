"""Single flight: many calls for one account at once are one request, in this process and, through the store, in all.

A flight is a task of its own, so that a call that is cancelled takes nobody down who waits for the same answer. It is
cancelled only when nobody is left who wants it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from tiktok_pinned_videos.state.base import StateStore

_LEASE: Final = 5.0
_RENEW: Final = 1.5
_POLL: Final = 0.05

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    fields: frozenset[str]
    passengers: int = 0


class Flights(Generic[T]):
    """The flights of this process, at most one per key."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def join(
        self, key: str, fields: tuple[str, ...], take_off: Callable[[], Awaitable[T]]
    ) -> tuple[T, bool] | None:
        """The flight's result and whether this call took off itself.

        None when a flight that did not carry all `fields` has just ended: look at what it brought and join again.
        """
        flight = self._flights.get(key)
        leads = flight is None
        if flight is None:

            async def fly() -> T:
                return await take_off()

            flight = _Flight(asyncio.create_task(fly(), name=f"flight {key}"), frozenset(fields))
            self._flights[key] = flight
            flight.task.add_done_callback(partial(self._landed, key, flight))
        elif not flight.fields >= set(fields):
            await asyncio.wait([flight.task])
            return None
        flight.passengers += 1
        try:
            return await asyncio.shield(flight.task), leads
        except asyncio.CancelledError:
            if flight.passengers == 1 and not flight.task.done():
                flight.task.cancel()
                # Whoever comes now must not board a flight that is going down.
                self._forget(key, flight)
            raise
        finally:
            flight.passengers -= 1

    async def aclose(self) -> None:
        """Cancel what is under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: str, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # looked at: its passengers may all have left before it failed

    def _forget(self, key: str, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class Lease:
    """A lock in the store that expires: held while a request is under way, renewed as long as it is."""

    def __init__(self, store: StateStore, key: str) -> None:
        self._store = store
        self._key = key
        self._owner = secrets.token_hex(8).encode()

    async def try_acquire(self) -> bool:
        """Whether it is ours now."""
        return await self._store.add(self._key, self._owner, ttl=_LEASE)

    async def wait(self) -> None:
        """A moment, before looking again."""
        await asyncio.sleep(_POLL)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Keep it renewed, and give it back in the end."""
        renewal = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
            await asyncio.shield(self._store.delete(self._key, expected=self._owner))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            await self._store.set(self._key, self._owner, ttl=_LEASE)
