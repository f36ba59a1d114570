"""A clock that a test moves, and an event loop whose time jumps to the next timer when no task can run.

Ten minutes of waiting take milliseconds, and no busy machine can make them longer: tests on it may state durations
exactly. For logic only: nothing on it may wait for a socket, a process or a thread.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable

import pytest

NOON = 1_780_315_200.0
"""2026-06-01T12:00:00Z"""


class Clock:
    """Unix seconds: `clock()` reads them, `clock.now += 5` moves them."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its `time()` begins at 0."""

    def __init__(self) -> None:
        self.moment = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds of the loop's own time."""
        return self.moment


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; if nothing is, move the time to the next timer."""
        ready = super().select(0)
        if not ready and timeout is None:  # no timer: an event wakes the loop
            return super().select(0.05)
        if not ready and timeout is not None:
            self._loop.moment += timeout
        return ready


VIRTUAL_TIME = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"loop_factory": VirtualTimeLoop})], ids=["virtual"]
)
"""Marks a test, or all of a module by `pytestmark`, to run on such a loop. Its upstream is then in memory as well."""


def is_virtual() -> bool:
    return isinstance(asyncio.get_running_loop(), VirtualTimeLoop)


def wall_clock() -> Callable[[], float]:
    """Return `time.time`, or on such a loop a clock that begins at noon, for any thread."""
    if not is_virtual():
        return time.time
    loop = asyncio.get_running_loop()
    return lambda: NOON + loop.time()


def now() -> float:
    """Seconds of this loop's time, virtual or not."""
    return asyncio.get_running_loop().time()
