"""An event loop with a virtual clock: when no task can run, the time jumps to the next timer.

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
        """The same; no time passes while it runs."""
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._ended)
        return future

    def pass_time(self, seconds: float) -> bool:
        """Jump, unless a thread is at work; whether it did."""
        self._moment += 0 if self._threads else seconds
        return not self._threads

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1


class _Jumping(selectors.SelectSelector):
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
