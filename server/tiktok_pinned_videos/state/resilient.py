"""A store that never fails a call. Knows outages and stores that forget; refuses to know any medium.

While the primary store works, everything goes to it. When it fails, one line is logged and everything goes to the
memory of this process; a timer tries the primary again, whether or not anybody calls. Whatever was written to memory
meanwhile is dropped when it is back, but for counters.

Counters stand for something already spent. `counters` knows what each was last seen at; a primary that says less has
lost it, and is raised to what this process knows. Other processes may know more, so before anything is counted on top
they are given time to say so: each looks at its counters every `_HEARTBEAT` seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context
from typing import TypeVar

from .base import CounterLostError, StateStore, StateStoreError
from .counters import Counters
from .memory import MemoryStore, as_count

_HEARTBEAT = 0.6
_OTHERS_SPEAK_UP = 0.9
"""Seconds that every other process needs to look at its counters."""
_LAST_WORDS = 1.0
"""Seconds that may be spent at the end on telling what was counted during an outage."""

_T = TypeVar("_T")


class ResilientStore:
    """A `StateStore` over `primary` whose operations raise nothing.

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
        log: logging.Logger | None = None,
    ) -> None:
        self._primary = primary
        self._clock = clock
        self._sleep = sleep
        self._may_forget = may_forget
        self._retry_after = retry_after
        self._log = log or logging.getLogger(__name__)
        self._memory = MemoryStore(clock=clock)
        self._counters = Counters(clock)
        self._lost = False
        self._trying: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None

    @property
    def shared(self) -> bool:
        """Whether the primary is shared; whether it serves now says `degraded`."""
        return self._primary.shared

    @property
    def holds_secrets(self) -> bool:
        """See `StateStore.holds_secrets`."""
        return self._primary.holds_secrets

    @property
    def degraded(self) -> bool:
        """Whether memory stands in for the primary now."""
        return self._lost

    def describe(self) -> str:
        """What holds the state now, in words and without secrets."""
        name = self._primary.describe()
        return f"{name} (degraded: memory of this process until it returns)" if self._lost else name

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._either(lambda store: store.get(key))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `StateStore.get_many`."""
        return await self._either(lambda store: store.get_many(keys))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        self._counters.forget(key)
        await self._either(lambda store: store.set(key, value, ttl=ttl))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""
        return await self._either(lambda store: store.add(key, value, ttl=ttl))

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.renew`."""
        return await self._either(lambda store: store.renew(key, value, ttl=ttl))

    async def hold(self, key: str, *, ttl: float) -> None:
        """See `StateStore.hold`."""
        await self._either(lambda store: store.hold(key, ttl=ttl))

    async def remaining(self, key: str) -> float:
        """See `StateStore.remaining`."""
        return await self._either(lambda store: store.remaining(key))

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        self._counters.forget(*keys)
        return await self._either(lambda store: store.delete(*keys, expected=expected))

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`."""
        return await self._either(lambda store: store.keys(prefix, limit=limit))

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """See `StateStore.increment`; never `CounterLostError`: what was lost is restored first."""
        counter = self._counters.living(key, ttl)
        while not self._lost:
            known = max(least, counter.seen)
            try:
                total = await self._primary.increment(key, amount, ttl=ttl, ceiling=ceiling, least=known)
            except CounterLostError:
                await self._restored()
                continue
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._give_up(error)
                break
            # A refusal tells that others have counted at least so far.
            counter.saw(total if total is not None else (ceiling or 0) - amount + 1)
            self._keep_beating()
            return total
        total = await self._memory.increment(key, amount, ttl=ttl, ceiling=ceiling)
        if total is not None:
            counter.pending += amount
        return total

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """See `StateStore.raise_to`."""
        total = await self._either(lambda store: store.raise_to(key, least, ttl=ttl))
        self._counters.living(key, ttl).saw(total)
        return total

    async def ping(self) -> None:
        """Try the primary for someone who wants to know; `StateStoreError` says why it cannot be used."""
        try:
            await self._primary.ping()
        except StateStoreError:
            raise
        except Exception as error:
            raise StateStoreError(type(error).__name__) from None

    async def aclose(self) -> None:
        """See `StateStore.aclose`. What was counted during an outage is told first; no task is left behind."""
        tasks = [task for task in (self._trying, self._beating, self._restoring) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        with suppress(Exception):  # it was an outage, and may be one still
            async with asyncio.timeout(_LAST_WORDS):
                if any(counter.pending for _, counter in self._counters.all_living()):
                    await self._raise_known()
                    await self._tell_pending()
        with suppress(StateStoreError):
            await self._primary.aclose()

    async def _either(self, operation: Callable[[StateStore], Awaitable[_T]]) -> _T:
        if not self._lost:
            try:
                return await operation(self._primary)
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._give_up(error)
        return await operation(self._memory)

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
        for key, counter in self._counters.all_living():
            await self._memory.raise_to(key, counter.seen + counter.pending, ttl=counter.left(self._clock()))
        # In a context of its own: what it logs and sends belongs to no call.
        self._trying = asyncio.create_task(self._try_again(), context=Context())

    async def _try_again(self) -> None:
        while True:
            await self._sleep(self._retry_after)
            try:
                await self._primary.ping()
                await self._raise_known()
                await self._let_others_speak_up()
                # Calls go on counting in memory meanwhile. The last look at what is pending and the end of the outage
                # have no await between them, so nothing falls between the two.
                while await self._tell_pending():
                    pass
            except Exception:  # noqa: S112 - said when the outage began; the next try is due all the same
                continue
            self._memory = MemoryStore(clock=self._clock)
            self._lost = False
            self._log.info("State store back: %s is used again.", self._primary.describe())
            self._keep_beating()
            return

    async def _tell_pending(self) -> bool:
        """Add what was counted without the primary; whether there was anything."""
        pending = [(key, counter) for key, counter in self._counters.all_living() if counter.pending]
        for key, counter in pending:
            amount = counter.pending
            total = await self._primary.increment(key, amount, ttl=counter.left(self._clock()))
            counter.pending -= amount
            counter.saw(total or 0)
        return bool(pending)

    # Stores that forget

    def _keep_beating(self) -> None:
        if self._may_forget and (self._beating is None or self._beating.done()):
            self._beating = asyncio.create_task(self._beat(), context=Context())

    async def _beat(self) -> None:
        """Look at the counters this process knows, and raise what is lower, as long as there are any."""
        while counters := self._counters.all_living():
            await self._sleep(_HEARTBEAT)
            if self._lost:
                return
            known = [counter.seen for _, counter in counters]
            try:
                held = await self._primary.get_many([key for key, _ in counters])
            except Exception as error:  # a store never fails a call, whatever its driver throws
                await self._give_up(error)
                return
            totals = [as_count(value or b"") or 0 for value in held]
            if any(total < seen for total, seen in zip(totals, known, strict=True)):
                await self._restored()

    async def _restored(self) -> None:
        """Once for however many have met the loss: what this process knows, then what the others know."""
        if self._restoring is None or self._restoring.done():
            self._restoring = asyncio.create_task(self._restore(), context=Context())
        await asyncio.shield(self._restoring)

    async def _restore(self) -> None:
        try:
            await self._raise_known()
        except Exception as error:  # as above
            await self._give_up(error)
            return
        await self._let_others_speak_up()

    async def _raise_known(self) -> None:
        for key, counter in self._counters.all_living():
            counter.saw(await self._primary.raise_to(key, counter.seen, ttl=counter.left(self._clock())))

    async def _let_others_speak_up(self) -> None:
        if self._may_forget:
            await self._sleep(_OTHERS_SPEAK_UP)
