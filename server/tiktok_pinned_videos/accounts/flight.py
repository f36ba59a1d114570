"""Single flight: many calls for one account at once are one request, in this process and, through the store, in all.

The request is a task of its own, so that a call that is cancelled takes nobody down who waits for the same answer. When
nobody waits any more, a request that is on the wire is finished, and everything else is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

from tiktok_pinned_videos.research.transport import Inquiry
from tiktok_pinned_videos.state.base import StateStore

_LEASE: Final = 5.0
_RENEW: Final = 1.5
_POLL: Final = 0.05

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    fields: frozenset[str]
    task: asyncio.Task[T] = field(init=False)
    inquiry: Inquiry = field(init=False)
    waiters: int = 0

    def __post_init__(self) -> None:
        self.inquiry = Inquiry(wanted=lambda: self.waiters > 0)

    def take_cost(self) -> int:
        """The requests it has cost that nobody has reported yet."""
        cost, self.inquiry.requests = self.inquiry.requests, 0
        return cost


class SingleFlight(Generic[T]):
    """The requests of this process that are under way, at most one per key.

    `unclaimed` is called with the key and the number of requests when one has ended with nobody waiting.
    """

    def __init__(self, unclaimed: Callable[[str, int], None]) -> None:
        self._flights: dict[str, _Flight[T]] = {}
        self._unclaimed = unclaimed

    async def join(
        self, key: str, fields: tuple[str, ...], ask: Callable[[Inquiry], Awaitable[T]]
    ) -> tuple[T, int] | None:
        """The result, and how many requests it cost: told to one of those who wait, 0 to the others.

        None when a flight that did not carry all `fields` has just ended: look at what it brought and join again.
        """
        flight = self._flights.get(key)
        if flight is not None and not flight.fields >= set(fields):
            await asyncio.wait([flight.task])
            return None
        if flight is None:
            flight = self._flights[key] = self._start(key, fields, ask)
        flight.waiters += 1
        try:
            result = await asyncio.shield(flight.task)
            return result, flight.take_cost()
        except asyncio.CancelledError:
            if flight.waiters == 1 and not flight.task.done() and not flight.inquiry.on_the_wire:
                flight.task.cancel()
                # Whoever comes now must not wait for a task that is being cancelled.
                self._forget(key, flight)
            raise
        finally:
            flight.waiters -= 1
            if flight.task.done():
                self._report(key, flight)

    async def aclose(self) -> None:
        """Cancel what is under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: str, fields: tuple[str, ...], ask: Callable[[Inquiry], Awaitable[T]]) -> _Flight[T]:
        flight: _Flight[T] = _Flight(frozenset(fields))

        async def run() -> T:
            return await ask(flight.inquiry)

        flight.task = asyncio.create_task(run(), name=f"flight {key}")
        flight.task.add_done_callback(partial(self._ended, key, flight))
        return flight

    def _ended(self, key: str, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # looked at: everyone may have left before it failed
        self._report(key, flight)

    def _report(self, key: str, flight: _Flight[T]) -> None:
        if not flight.waiters and (cost := flight.take_cost()):
            self._unclaimed(key, cost)

    def _forget(self, key: str, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class Lease:
    """A lock in the store that expires: held while a request is under way, renewed as long as it is still ours."""

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
            await asyncio.shield(self.release())

    async def release(self) -> None:
        """Give it back; harmless when somebody else holds it."""
        await self._store.delete(self._key, expected=self._owner)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            if not await self._store.renew(self._key, self._owner, ttl=_LEASE):
                return  # we stood still for too long, and somebody else holds it now
