"""A store that never fails a call. Knows outages and stores that forget; refuses to know any medium.

While the primary store works, everything goes to it. When it fails, one line is logged and everything goes to the
memory of this process; the primary is tried again by time, whether or not anybody calls. Whatever was written to memory
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
from dataclasses import replace
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
_log = logging.getLogger(__name__)


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
        self._memory = MemoryStore(clock=clock)
        self._counters = Counters(clock)
        self._lost = False
        self._restored_at = -_ALL_HAVE_COMPARED
        self._watching: asyncio.Task[None] | None = None
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
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
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
            try:
                await self._let_others_restore()
                known = replace(step, least=max(step.least, counter.seen))
                total = await self._primary.do(known)
            except CounterLostError:
                await self._restore()
            except Exception as error:  # as above
                await self._give_up(error)
            else:
                # A refusal says that others have counted at least so far.
                counter.saw(total if total is not None else (step.ceiling or 0) - step.amount + 1)
                self._watch()
                return total
        total = await self._memory.do(step)
        if total is not None:
            counter.pending += step.amount
        return total

    async def _give_up(self, error: Exception) -> None:
        if self._lost:
            return
        self._lost = True
        _log.warning(
            "State store lost: %s cannot be used (%s). Going on with the memory of this process, shared with nobody; "
            "it is tried again every %g s.",
            self._primary.describe(),
            # What an unforeseen error says may be anything, a secret too.
            str(error) if isinstance(error, StateStoreError) else type(error).__name__,
            self._retry_after,
        )
        await self._counters.copy_to(self._memory)
        self._watch()

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            # In a context of its own: what it logs and sends belongs to no call.
            self._watching = asyncio.create_task(self._keep_watch(), context=Context())

    async def _keep_watch(self) -> None:
        """As long as there is something to wait for: the end of an outage, or a counter that gets lost."""
        while self._lost or (self._may_forget and self._counters.living()):
            await self._sleep(self._retry_after if self._lost else _HEARTBEAT)
            try:
                if self._lost:
                    await self._return()
                elif await self._counters.lower_in(self._primary):
                    await self._restore()
            except Exception as error:  # as above; during an outage nothing new is said
                await self._give_up(error)

    async def _return(self) -> None:
        """End an outage, if the primary can be used."""
        await self._primary.ping()
        await self._restore()
        await self._let_others_restore()
        # Calls go on counting in memory meanwhile. The last look at what is pending and the end of the outage have no
        # await between them, so nothing falls between the two.
        while await self._counters.add_pending(self._primary):
            pass
        self._memory = MemoryStore(clock=self._clock)
        self._lost = False
        _log.info("State store back: %s is used again.", self._primary.describe())

    async def _restore(self) -> None:
        """Have a primary that forgot say what this process knows."""
        try:
            await self._counters.restore(self._primary)
        except Exception as error:  # as above
            if self._lost:
                raise
            await self._give_up(error)
        self._restored_at = asyncio.get_running_loop().time()

    async def _let_others_restore(self) -> None:
        """Wait until what the others know is there as well."""
        left = self._restored_at + _ALL_HAVE_COMPARED - asyncio.get_running_loop().time()
        if self._may_forget and left > 0:
            await self._sleep(left)
