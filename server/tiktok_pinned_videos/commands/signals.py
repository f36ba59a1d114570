"""Ctrl-C and SIGTERM while a command works. Before and after, `__main__` ends the process at once, with 130.

Handlers are set even where a signal was ignored at the start, as shells do for processes in the background.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130


@contextlib.contextmanager
def interruptible(first: Callable[[], object]) -> Generator[None]:
    """The first signal calls `first`; the second ends the process at once, with 130."""
    came = False

    def handle(_: int, __: FrameType | None) -> None:
        nonlocal came
        if came:
            os._exit(INTERRUPTED)
        came = True
        first()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def put_off() -> Generator[list[bool]]:
    """Within, the first signal is only noted, in the list: a few files are written to their end."""
    came: list[bool] = []
    with interruptible(lambda: came.append(True)):
        yield came
