"""Every test killed in its middle: `python -m tests.interrupted [PYTEST ARGUMENTS]` says what else went down with one.

An exception is raised at the middle line of each test's own body. A test that was killed must leave all others running,
and no process, socket or file behind. Tests that end before their middle line (skipped there, or one line long) pass.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


class KilledError(Exception):
    """Raised in the middle of a test."""


class Killer:
    """A pytest plugin, loaded in each worker."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
        """Have the test's own lines watched while it runs, and no other code."""
        function: Any = getattr(pyfuncitem.obj, "hypothesis", None)
        code: CodeType = (function.inner_test if function else pyfuncitem.obj).__code__
        lines = sorted({line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno})
        middle = lines[len(lines) // 2] if lines else sys.maxsize

        def watch(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line" and frame.f_lineno >= middle:
                sys.settrace(None)
                raise KilledError(f"{pyfuncitem.nodeid} at line {frame.f_lineno}")
            return watch

        sys.settrace(lambda frame, event, argument: watch if frame.f_code is code else None)
        try:
            return (yield)
        finally:
            sys.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test that was killed, and nothing else, is as it should be."""
        report = yield
        if report.failed and call.excinfo is not None and _is_ours(call.excinfo):
            report.outcome = "passed"
        return report


def _is_ours(info: pytest.ExceptionInfo[BaseException]) -> bool:
    if isinstance(info.value, BaseExceptionGroup):
        return info.group_contains(KilledError)
    return isinstance(info.value, KilledError)


def pytest_configure(config: pytest.Config) -> None:
    """Loaded with `-p tests.interrupted`, by the controller and its workers."""
    config.pluginmanager.register(Killer())


def files(temporary: Path) -> set[str]:
    """What stands in the project and in the folder for temporary files, but for what Python and pytest keep."""
    kept = ("__pycache__", ".pytest_cache", "node_modules", ".hypothesis", ".git", ".venv", "pytest-of-")
    return {
        str(path)
        for path in (*ROOT.glob("**/*"), *temporary.iterdir())
        if not any(part.startswith(kept) for part in path.parts)
    }


def main(arguments: list[str]) -> int:
    """0: nothing went down with any, and nothing was left."""
    # A folder of this run's own: in the machine's, other programs leave and remove files meanwhile.
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        before = files(Path(folder))
        outcome = int(pytest.main(["-p", "tests.interrupted", "-q", *arguments]))
        left = sorted(files(Path(folder)) - before)
    for path in left:
        print(f"left behind: {path}")  # noqa: T201 - this is what it is for
    return outcome or bool(left)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
