"""A store that never fails a call. Knows outages and stores that forget; refuses to know any medium.

While the primary store works, everything goes to it. When it fails, one line is logged and everything goes to the
memory of this process; the primary is tried again by time, whether or not anybody calls. Whatever was written to memory
meanwhile is dropped when it is back, but for counters.

Counters stand for something already spent, so they only rise. A primary that says less than it said before has lost
what it held: it is raised to what this process has seen, and what was counted without it is added. Other processes may
know more, so before anything is counted on top they are given time to raise it further: each compares its counters
every `_HEARTBEAT` seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any

from .base import CounterLostError, StateStore, StateStoreError
from .memory import MemoryStore
from .steps import Find, Increment, RaiseTo, Read, Step, Write

_HEARTBEAT = 0.6
_ALL_HAVE_COMPARED = 0.9
"""Seconds that every other process needs to compare its counters."""
_FINAL_WRITES = 0.4
"""Seconds for adding what was counted during an outage when the process ends; over stdio it has 0.7 s in all."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Counter:
    """One counter, as far as this process knows it."""

    key: str
    expires_at: float
    """Unix seconds."""
    seen: int = 0
    """The highest figure that the primary has said; replies may arrive out of order."""
    pending: int = 0
    """What was counted during an outage and not yet added to the primary."""


class ResilientStore(StateStore):
    """A `StateStore` over `primary` whose steps raise nothing, and whose keys all begin with `prefix` there.

    `may_forget`: whether the primary can lose what it holds while this process lives (a Redis can, a file does not).
    `retry_after`: seconds from one try to use a lost primary to the next.
    """

    def __init__(
        self,
        primary: StateStore,
        *,
        prefix: str = "",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        may_forget: bool = True,
        retry_after: float = 1.0,
    ) -> None:
        self._primary = primary
        self._prefix = prefix
        self._clock = clock
        self._sleep = sleep
        self._may_forget = may_forget
        self._retry_after = retry_after
        self._memory = MemoryStore(clock=clock)
        self._counters: dict[str, _Counter] = {}
        self._restored_at = -_ALL_HAVE_COMPARED
        self._watching: asyncio.Task[None] | None = None
        self.shared = primary.shared
        self.holds_secrets = primary.holds_secrets

    def describe(self) -> str:
        """What holds the state now, in words and without secrets."""
        name = self._primary.describe()
        return f"{name} (degraded: memory of this process until it returns)" if self.degraded else name

    async def run(self, *steps: Step[Any]) -> list[Any]:
        """See `StateStore.run`; never `CounterLostError`: what was lost is restored first."""
        prefix = self._prefix
        steps = tuple([replace(step, keys=tuple([prefix + key for key in step.keys])) for step in steps])
        match steps[0]:
            case Increment() as increment:
                return [await self._count(increment)]
            case Find():
                return [[key.removeprefix(prefix) for key in found] for found in await self._run(*steps)]
            case _:
                return await self._run(*steps)

    async def ping(self) -> None:
        """Try the primary for someone who wants to know; `StateStoreError` says why it cannot be used."""
        try:
            await self._try()
        except StateStoreError:
            raise
        except Exception as error:
            raise StateStoreError(type(error).__name__) from None

    async def aclose(self) -> None:
        """See `StateStore.aclose`. What was counted during an outage is added first; no task is left behind."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        with suppress(Exception):  # it was an outage, and may be one still
            async with asyncio.timeout(_FINAL_WRITES):
                if any(counter.pending for counter in self._living()):
                    await self._restore()
                    await self._add_pending()
        with suppress(StateStoreError):
            await self._primary.aclose()

    async def _run(self, *steps: Step[Any]) -> list[Any]:
        if not self.degraded:
            try:
                return await self._primary.run(*steps)
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._give_up(error)
        return await self._memory.run(*steps)

    async def _count(self, step: Increment) -> int | None:
        counter, forgot = self._counter(step), False
        while not self.degraded:
            try:
                if forgot:
                    await self._restore()
                await self._let_others_restore()
                total = await self._primary.do(replace(step, least=max(step.least, counter.seen)))
            except CounterLostError:
                forgot = True
            except Exception as error:  # as above
                await self._give_up(error)
            else:
                # A refusal says that others have counted at least so far.
                counter.seen = max(counter.seen, total or (step.ceiling or 0) - step.amount + 1)
                self._watch()
                return total
        total = await self._memory.do(step)
        if total is not None:
            counter.pending += step.amount
        return total

    # Outages

    async def _try(self) -> None:
        await self._primary.do(Write((self._prefix + "ping",), b"1", 1.0))

    async def _give_up(self, error: Exception) -> None:
        if self.degraded:
            return
        self.degraded = True
        _log.warning(
            "State store lost: %s cannot be used (%s). Going on with the memory of this process, shared with nobody; "
            "it is tried again every %g s.",
            self._primary.describe(),
            # What an unforeseen error says may be anything, a secret too.
            str(error) if isinstance(error, StateStoreError) else type(error).__name__,
            self._retry_after,
        )
        for counter in self._living():
            await self._memory.do(RaiseTo((counter.key,), counter.seen + counter.pending, self._left(counter)))
        self._watch()

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            # In a context of its own: what it logs and sends belongs to no call.
            self._watching = asyncio.create_task(self._keep_watch(), context=Context())

    async def _keep_watch(self) -> None:
        """As long as there is something to wait for: the end of an outage, or a counter that gets lost."""
        while self.degraded or (self._may_forget and self._living()):
            await self._sleep(self._retry_after if self.degraded else _HEARTBEAT)
            try:
                if self.degraded:
                    await self._return()
                elif await self._says_less():
                    await self._restore()
            except Exception as error:  # as above; during an outage nothing new is said
                await self._give_up(error)

    async def _return(self) -> None:
        """End an outage, if the primary can be used."""
        await self._try()
        await self._restore()
        await self._let_others_restore()
        # Calls go on counting in memory meanwhile. The last look at what is pending and the end of the outage have no
        # await between them, so nothing falls between the two.
        await self._add_pending()
        self._memory = MemoryStore(clock=self._clock)
        self.degraded = False
        _log.info("State store back: %s is used again.", self._primary.describe())

    # Counters

    def _counter(self, step: Increment) -> _Counter:
        (key,) = step.keys
        counter = self._counters.get(key)
        if counter is None or counter.expires_at <= self._clock():
            self._counters = {living.key: living for living in self._living()}
            counter = self._counters[key] = _Counter(key, self._clock() + step.ttl)
        return counter

    def _living(self) -> list[_Counter]:
        now = self._clock()
        return [counter for counter in self._counters.values() if counter.expires_at > now]

    def _left(self, counter: _Counter) -> float:
        return max(0.001, counter.expires_at - self._clock())

    async def _says_less(self) -> bool:
        """Whether the primary says less of any counter than it said before."""
        seen = {counter.key: counter.seen for counter in self._living()}
        if not seen:  # the last has just expired; Redis calls a question about no key a fault
            return False
        values = await self._primary.do(Read(tuple(seen)))
        return any(int(value or 0) < least for value, least in zip(values, seen.values(), strict=True))

    async def _restore(self) -> None:
        """Have the primary say at least what was seen."""
        for counter in self._living():
            total = await self._primary.do(RaiseTo((counter.key,), counter.seen, self._left(counter)))
            counter.seen = max(counter.seen, total)
        self._restored_at = asyncio.get_running_loop().time()

    async def _let_others_restore(self) -> None:
        """Wait until what the others know is there as well."""
        left = self._restored_at + _ALL_HAVE_COMPARED - asyncio.get_running_loop().time()
        if self._may_forget and left > 0:
            await self._sleep(left)

    async def _add_pending(self) -> None:
        """Add what was counted without the primary, until nothing is left to add."""
        while waiting := [counter for counter in self._living() if counter.pending]:
            for counter in waiting:
                amount = counter.pending
                total = await self._primary.do(Increment((counter.key,), amount, self._left(counter)))
                counter.pending -= amount
                counter.seen = max(counter.seen, total or 0)
