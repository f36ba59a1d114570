"""An event loop whose time passes in jumps: when nothing is left to do, it is as late as the next thing that is due.

Ten minutes of waiting take milliseconds, and no busy machine can make them longer: tests on it may state durations
exactly. For logic only: nothing on it may wait for a socket or a process (a thread of an executor is waited for).
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import pytest

from kit.clock import NOON


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its `time()` begins at 0."""

    def __init__(self) -> None:
        self._moment = 0.0
        self._threads = 0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds of the loop's own time."""
        return self._moment

    def run_in_executor(self, executor: Executor | None, func: Any, *args: Any) -> asyncio.Future[Any]:
        """As ever; while it is under way no time passes."""
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._ended)
        return future

    def pass_time(self, seconds: float) -> bool:
        """Jump; whether that was possible."""
        if self._threads:
            return False
        self._moment += seconds
        return True

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1


class _Jumping(selectors.SelectSelector):
    """Never waits for time."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; if nothing is, move the time to the next timer."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None and self._loop.pass_time(timeout):
            return []
        # A thread is working, or there is no timer: an event wakes the loop.
        return super().select(0.05)


VIRTUAL_TIME = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"loop_factory": VirtualTimeLoop})], ids=["virtual"]
)
"""Marks a test, or all of a module by `pytestmark`, to run on such a loop. Its upstream is then in memory as well."""


def is_virtual() -> bool:
    """Whether this runs on such a loop."""
    return isinstance(asyncio.get_running_loop(), VirtualTimeLoop)


def wall_clock() -> Callable[[], float]:
    """What `time.time` is to a server: on such a loop it is noon when it begins. May be asked from any thread."""
    if not is_virtual():
        return time.time
    loop = asyncio.get_running_loop()
    return lambda: NOON + loop.time()


def now() -> float:
    """Seconds of this loop's time, virtual or not: what a test measures with."""
    return asyncio.get_running_loop().time()
