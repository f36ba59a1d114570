"""Ctrl-C and SIGTERM while a command works. Before and after, `__main__` ends the process at once, with 130.

Handlers are set even where a signal was ignored at the start, as shells do for what runs in the background: a run that
is told to stop stops.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from types import FrameType
from typing import Any

_NAMES = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Generator[None]:
    """Within, both are a KeyboardInterrupt: what was started is ended, and the command does the rest."""
    with _kept():
        if _main_thread():
            # asyncio cancels its main task on SIGINT where this handler is set, and on nothing else.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, lambda _, __: signal.raise_signal(signal.SIGINT))
        yield


@contextlib.contextmanager
def put_off() -> Generator[list[int]]:
    """Within, the first one is only noted, in the list: a few files are written to their end. The next one counts."""
    came: list[int] = []
    with _kept() as before:

        def note(number: int, _: FrameType | None) -> None:
            came.append(number)
            for each, handler in before.items():
                signal.signal(each, handler)

        if _main_thread():
            for each in _NAMES:
                signal.signal(each, note)
        yield came


def _main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _kept() -> Generator[Mapping[signal.Signals, Callable[[int, FrameType | None], Any] | int]]:
    before = {each: handler for each in _NAMES if (handler := signal.getsignal(each)) is not None}
    try:
        yield before
    finally:
        if _main_thread():
            for each, handler in before.items():
                signal.signal(each, handler)
