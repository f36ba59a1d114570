"""The clock of the tests: the test moves the time, and tasks that sleep on it wake at the right moment."""

from __future__ import annotations

import asyncio
import heapq
import itertools

NOON = 1_780_315_200.0
"""2026-06-01T12:00:00Z"""


class Clock:
    """Seconds since 1970 or any other beginning: `clock()` reads it, `clock.now += 5` or `clock.advance(5)` moves it.

    Pass `clock.sleep` to code that takes an `asyncio.sleep`: it returns once the clock has advanced far enough.
    """

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.slept: list[float] = []
        """Every delay that was asked for."""
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Until `advance` has reached the moment."""
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, waking sleepers in their order, each at its moment."""
        end = self.now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, woken = heapq.heappop(self._sleepers)
            self.now = max(self.now, moment)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self.now = end
        await settle()


async def settle(turns: int = 20) -> None:
    """Let tasks that are ready run, and those that they wake."""
    for _ in range(turns):
        await asyncio.sleep(0)
