"""Outside programs that tests need, and time: how long a call takes, when something has come true."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest


def need(*programs: str) -> str:
    """Path of the first of `programs` that is installed; without any the test is left out, in CI it fails."""
    for program in programs:
        found = shutil.which(program)
        if found:
            return found
    missing = f"needs {' or '.join(programs)}, which is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def need_module(name: str) -> Any:
    """That module; where it is not installed the tests of the file are left out, in CI its absence is an error."""
    if os.environ.get("CI") == "true":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"needs {name}: uv run --group dev pytest")


async def fastest(times: int, call: Callable[[], Awaitable[object]]) -> float:
    """Seconds of the fastest call: a busy machine does not delay every one."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


async def until(condition: Callable[[], object], *, within: float = 30.0) -> None:
    """Let time pass until `condition` is true; `within` is far more than it takes, for machines that are busy."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - whatever is waited for has no event: it may be another process
            await asyncio.sleep(0.01)
