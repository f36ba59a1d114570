"""Single flight: many calls for one account at once are one request, in this process and, through the store, in all.

The request is a task of its own, so that a call that is cancelled takes nobody down who waits for the same answer. When
nobody waits any more, a request that is on the wire is finished, and everything else is cancelled.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Generic, Self, TypeVar

from tiktok_pinned_videos.research.budget import RequestContext
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Delete, Renew, Step, Write

_LEASE: Final = 5.0
_RENEW: Final = 1.5
_POLL: Final = 0.05

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(
        self, key: str, fields: tuple[str, ...], ask: Callable[[RequestContext], Coroutine[Any, Any, T]]
    ) -> None:
        self.fields = frozenset(fields)
        self.waiters = 0
        self.context = RequestContext(wanted=lambda: self.waiters > 0)
        self.task = asyncio.create_task(ask(self.context), name=f"flight {key}")

    def take_cost(self) -> int:
        """The requests it has cost that nobody has reported yet."""
        cost, self.context.requests = self.context.requests, 0
        return cost


class SingleFlight(Generic[T]):
    """The requests of this process that are under way, at most one per key.

    `unclaimed` is called with the key and the number of requests when one has ended with nobody waiting.
    """

    def __init__(self, unclaimed: Callable[[str, int], None]) -> None:
        self._flights: dict[str, _Flight[T]] = {}
        self._unclaimed = unclaimed

    async def join(
        self, key: str, fields: tuple[str, ...], ask: Callable[[RequestContext], Coroutine[Any, Any, T]]
    ) -> tuple[T, int] | None:
        """The result, and how many requests it cost: for one of those who wait, 0 for the others.

        None when a flight that did not carry all `fields` has just ended: look at what it brought and join again.
        """
        flight = self._flights.get(key)
        if flight is not None and not flight.fields >= set(fields):
            await asyncio.wait([flight.task])
            return None
        if flight is None:
            flight = self._flights[key] = _Flight(key, fields, ask)
            flight.task.add_done_callback(partial(self._ended, key, flight))
        flight.waiters += 1
        try:
            result = await asyncio.shield(flight.task)
            return result, flight.take_cost()
        except asyncio.CancelledError:
            if flight.waiters == 1 and not flight.task.done() and not flight.context.on_the_wire:
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
    """A lock in the store that expires: held while a request is under way, renewed as long as it is still ours.

    Used as a context, it is given back in the end, also where it may have been acquired unnoticed.
    """

    def __init__(self, store: StateStore, key: str) -> None:
        self._store = store
        self._key = key
        self._owner = secrets.token_hex(8).encode()
        self._maybe_ours = False
        self._sure_until = 0.0
        self._renewal: asyncio.Task[None] | None = None

    async def try_acquire(self, *then: Step[Any]) -> tuple[bool, list[Any]]:
        """Whether it is ours now, and the results of `then`: steps done right after it, in the same round trip."""
        asked_at = asyncio.get_running_loop().time()
        self._maybe_ours, self._sure_until = True, 0.0
        acquire = Write((self._key,), self._owner, _LEASE, only_if_absent=True)
        self._maybe_ours, *results = await self._store.run(acquire, *then)
        # A store takes two seconds at most, so until then it cannot have expired.
        self._sure_until = asked_at + _LEASE / 2
        return self._maybe_ours, results

    async def wait(self) -> None:
        """A moment, before looking again."""
        await asyncio.sleep(_POLL)

    def keep(self) -> None:
        """Have it renewed until it is given back."""
        self._renewal = asyncio.create_task(self._renew())

    async def release(self, *before: Step[Any]) -> list[Any]:
        """Give it back, if it is ours, and the results of `before`: steps done just before, in the same round trip."""
        if self._renewal is not None:
            self._renewal.cancel()
        if self._maybe_ours:
            self._maybe_ours = False
            before = (*before, Delete((self._key,), self._owner, self._sure_until))
        return await self._store.run(*before) if before else []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self.release())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            asked_at = asyncio.get_running_loop().time()
            if not await self._store.do(Renew((self._key,), self._owner, _LEASE)):
                return  # we stood still for too long, and somebody else holds it now
            self._sure_until = asked_at + _LEASE / 2
