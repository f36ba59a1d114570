"""Programs and modules that tests need, processes they leave behind, and waiting for a condition."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

CI = os.environ.get("CI") == "true"


def need(*programs: str) -> str:
    """Return the path of the first of `programs` that is installed. Without any: skip the test, or fail it in CI."""
    for program in programs:
        found = shutil.which(program)
        if found:
            return found
    missing = f"needs {' or '.join(programs)}, which is not installed"
    if CI:
        pytest.fail(missing)
    pytest.skip(missing)


def need_module(name: str) -> Any:
    """Import a module. If it is not installed: skip the test or the file, or fail in CI."""
    if CI:
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"needs {name}: uv run --all-groups pytest")


def end_children() -> list[str]:
    """Kill the child processes of this one and return their command lines (Linux only)."""
    ended: list[str] = []
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in listing.read_text(encoding="ascii").split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if command and "multiprocessing.resource_tracker" not in command:
                os.kill(int(pid), 9)
                ended.append(command)
    return ended


async def fastest(times: int, call: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of the fastest of several calls: a busy machine does not delay all of them."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


async def until(condition: Callable[[], object], *, within: float = 30.0) -> None:
    """Wait until `condition` is true. `within` is far more than it takes, for machines that are busy."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the condition may depend on another process, which sends no event
            await asyncio.sleep(0.01)
