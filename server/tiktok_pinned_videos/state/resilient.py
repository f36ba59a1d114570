"""A store that never fails a call. Knows outages and stores that forget; refuses to know any medium.

While the primary store works, everything goes to it. When it fails, one line is logged and everything goes to the
memory of this process; a timer tries the primary again, whether or not anybody calls. Whatever was written to memory
meanwhile is dropped when it is back, but for counters.

Counters stand for something already spent. A primary that says less than it said before has lost what it held, and is
raised to what this process knows. Other processes may know more, so before anything is counted on top they are given
time to raise it further: each compares its counters every `_HEARTBEAT` seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

from .base import CounterLostError, StateStore, StateStoreError
from .counters import Counters
from .memory import MemoryStore
from .steps import Increment, Step

_HEARTBEAT = 0.6
_ALL_HAVE_COMPARED = 0.9
"""Seconds that every other process needs to compare its counters."""
_FINAL_WRITES = 0.4
"""Seconds for adding what was counted during an outage when the process ends; over stdio it has 0.7 s in all."""


class ResilientStore(StateStore):
    """A `StateStore` over `primary` whose steps raise nothing.

    `may_forget`: whether the primary can lose what it holds while this process lives (a Redis can, a file does not).
    `retry_after`: seconds from one try to use a lost primary to the next.
    """

    def __init__(
        self,
        primary: StateStore,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        may_forget: bool = True,
        retry_after: float = 1.0,
    ) -> None:
        self._primary = primary
        self._clock = clock
        self._sleep = sleep
        self._may_forget = may_forget
        self._retry_after = retry_after
        self._log = logging.getLogger(__name__)
        self._memory = MemoryStore(clock=clock)
        self._counters = Counters(clock)
        self._lost = False
        self._trying: asyncio.Task[None] | None = None
        self._comparing: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self.shared = primary.shared
        self.holds_secrets = primary.holds_secrets

    @property
    def degraded(self) -> bool:
        """Whether memory stands in for the primary now."""
        return self._lost

    def describe(self) -> str:
        """What holds the state now, in words and without secrets."""
        name = self._primary.describe()
        return f"{name} (degraded: memory of this process until it returns)" if self._lost else name

    async def run(self, *steps: Step[Any]) -> list[Any]:
        """See `StateStore.run`; never `CounterLostError`: what was lost is restored first."""
        if isinstance(increment := steps[0], Increment):
            return [await self._count(increment)]
        if not self._lost:
            try:
                return await self._primary.run(*steps)
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._give_up(error)
        return await self._memory.run(*steps)

    async def ping(self) -> None:
        """Try the primary for someone who wants to know; `StateStoreError` says why it cannot be used."""
        try:
            await self._primary.ping()
        except StateStoreError:
            raise
        except Exception as error:
            raise StateStoreError(type(error).__name__) from None

    async def aclose(self) -> None:
        """See `StateStore.aclose`. What was counted during an outage is added first; no task is left behind."""
        tasks = [task for task in (self._trying, self._comparing, self._restoring) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        with suppress(Exception):  # it was an outage, and may be one still
            async with asyncio.timeout(_FINAL_WRITES):
                if any(counter.pending for counter in self._counters.living()):
                    await self._counters.restore(self._primary)
                    await self._counters.add_pending(self._primary)
        with suppress(StateStoreError):
            await self._primary.aclose()

    async def _count(self, step: Increment) -> int | None:
        (key,) = step.keys
        counter = self._counters.get(key, step.ttl)
        while not self._lost:
            known = max(step.least, counter.seen)
            try:
                total = await self._primary.increment(key, step.amount, ttl=step.ttl, ceiling=step.ceiling, least=known)
            except CounterLostError:
                await self._restored()
                continue
            except Exception as error:  # as above
                await self._give_up(error)
                break
            # A refusal says that others have counted at least so far.
            counter.saw(total if total is not None else (step.ceiling or 0) - step.amount + 1)
            self._keep_comparing()
            return total
        total = await self._memory.increment(key, step.amount, ttl=step.ttl, ceiling=step.ceiling)
        if total is not None:
            counter.pending += step.amount
        return total

    # Outages

    async def _give_up(self, error: Exception) -> None:
        if self._lost:
            return
        self._lost = True
        self._log.warning(
            "State store lost: %s cannot be used (%s). Going on with the memory of this process, shared with nobody; "
            "it is tried again every %g s.",
            self._primary.describe(),
            # What an unforeseen error says may be anything, a secret too.
            str(error) if isinstance(error, StateStoreError) else type(error).__name__,
            self._retry_after,
        )
        await self._counters.restore(self._memory, with_pending=True)
        # In a context of its own: what it logs and sends belongs to no call.
        self._trying = asyncio.create_task(self._try_again(), context=Context())

    async def _try_again(self) -> None:
        while True:
            await self._sleep(self._retry_after)
            try:
                await self._primary.ping()
                await self._counters.restore(self._primary)
                await self._let_others_restore()
                # Calls go on counting in memory meanwhile. The last look at what is pending and the end of the outage
                # have no await between them, so nothing falls between the two.
                while await self._counters.add_pending(self._primary):
                    pass
            except Exception:  # noqa: S112 - said when the outage began; the next try is due all the same
                continue
            self._memory = MemoryStore(clock=self._clock)
            self._lost = False
            self._log.info("State store back: %s is used again.", self._primary.describe())
            self._keep_comparing()
            return

    # Stores that forget

    def _keep_comparing(self) -> None:
        if self._may_forget and (self._comparing is None or self._comparing.done()):
            self._comparing = asyncio.create_task(self._compare(), context=Context())

    async def _compare(self) -> None:
        """Look at the counters this process knows, and restore what is lower, as long as there are any."""
        while self._counters.living():
            await self._sleep(_HEARTBEAT)
            if self._lost:
                return
            try:
                lower = await self._counters.lower_in(self._primary)
            except Exception as error:  # as above
                await self._give_up(error)
                return
            if lower:
                await self._restored()

    async def _restored(self) -> None:
        """Once for however many have met the loss: what this process knows, then what the others know."""
        if self._restoring is None or self._restoring.done():
            self._restoring = asyncio.create_task(self._restore(), context=Context())
        await asyncio.shield(self._restoring)

    async def _restore(self) -> None:
        try:
            await self._counters.restore(self._primary)
        except Exception as error:  # as above
            await self._give_up(error)
            return
        await self._let_others_restore()

    async def _let_others_restore(self) -> None:
        if self._may_forget:
            await self._sleep(_ALL_HAVE_COMPARED)
