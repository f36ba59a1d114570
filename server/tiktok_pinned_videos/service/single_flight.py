"""Single flight: simultaneous calls for one account share one request, in this process and for 10 s across processes.

Each request runs in its own task, so that a cancelled call does not end it for other callers. When no caller waits any
more, or the program ends, a request that was sent is completed, and one that was not sent is cancelled.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeAlias, TypeVar

from tiktok_pinned_videos.research.budget import RequestContext
from tiktok_pinned_videos.state.base import Entry, Store

LEASE: Final = 10.0
"""Seconds for which other processes wait for a request instead of sending the same one."""
_POLL: Final = 0.05

T = TypeVar("T")
K = TypeVar("K")
Ask: TypeAlias = Callable[[RequestContext], Coroutine[Any, Any, T]]


class _Flight(Generic[T]):
    def __init__(self, fields: tuple[str, ...], ask: Ask[T], may_send: Callable[[], bool]) -> None:
        self.fields = frozenset(fields)
        self.waiters = 0
        self.context = RequestContext(wanted=lambda: self.waiters > 0 and may_send())
        self.task = asyncio.create_task(ask(self.context), name="flight")


class SingleFlight(Generic[T]):
    """The requests in flight of this process, with at most one per key that calls may join."""

    def __init__(self) -> None:
        self._joinable: dict[Hashable, _Flight[T]] = {}
        self._all: set[_Flight[T]] = set()
        self.closing = False

    async def join(self, key: Hashable, fields: tuple[str, ...], ask: Ask[T]) -> tuple[T, int] | None:
        """Return the result and how many requests it cost; the cost is charged to one caller, the others get 0.

        Returns None if a request without all of the `fields` has just ended, or the request was cancelled. Then read
        the store and join again.
        """
        flight = self._joinable.get(key)
        if flight is not None and not flight.fields >= set(fields):
            await asyncio.wait([flight.task])
            return None
        if flight is None:
            flight = started = _Flight(fields, ask, lambda: not self.closing)
            self._all.add(flight)
            self._joinable[key] = flight
            flight.task.add_done_callback(lambda _: self._remove(key, started))
        flight.waiters += 1
        try:
            await asyncio.wait([flight.task])
            if flight.task.cancelled():
                return None
            cost, flight.context.requests = flight.context.requests, 0
            return flight.task.result(), cost
        except asyncio.CancelledError:
            if flight.waiters == 1 and not flight.task.done() and not flight.context.on_the_wire:
                flight.task.cancel()
                self._joinable.pop(key, None)  # new calls must not wait for a task that is being cancelled
            raise
        finally:
            flight.waiters -= 1

    async def aclose(self, *, drain: float, for_store: bool) -> None:
        """Send nothing more, give requests already sent `drain` seconds to finish, and cancel the rest.

        `for_store`: wait for requests without callers too, because the store keeps their answers.
        """
        self.closing = True
        for flight in self._all:
            if not flight.context.on_the_wire or not (flight.waiters or for_store):
                flight.task.cancel()
        if tasks := [flight.task for flight in self._all]:
            _, late = await asyncio.wait(tasks, timeout=drain)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _remove(self, key: Hashable, flight: _Flight[T]) -> None:
        self._all.discard(flight)
        if self._joinable.get(key) is flight:
            del self._joinable[key]


@asynccontextmanager
async def lease(
    store: Store | None, key: str, read: Callable[[], Awaitable[K]], *, enough: Callable[[K], bool]
) -> AsyncGenerator[K]:
    """Hold the lease `key` while sending a request, and yield what `read` returned last.

    If another process has the lease, wait until `read` returns `enough` or its lease ends. Without a store, do not
    wait.
    """
    if store is None:
        yield await read()
        return
    entry = Entry(key, secrets.token_hex(8).encode(), LEASE)
    give_up = asyncio.get_running_loop().time() + LEASE
    try:
        while True:
            acquired = await store.add(entry)
            known = await read()
            if acquired or enough(known) or asyncio.get_running_loop().time() >= give_up:
                break
            await asyncio.sleep(_POLL)
        yield known
    finally:
        await store.release(key, entry.value)
