"""Programs and modules that tests need, and waiting for a condition."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

CI = os.environ.get("CI") == "true"


def need(*programs: str, path: str | None = None) -> str:
    """Return the path of the first of `programs` that is installed. Without any: skip the test, or fail it in CI."""
    for program in programs:
        found = shutil.which(program, path=path)
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


async def until(condition: Callable[[], object], *, within: float = 30.0) -> None:
    """Wait until `condition` is true. `within` is far more than it takes, for machines that are busy."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the condition may depend on another process, which sends no event
            await asyncio.sleep(0.01)
