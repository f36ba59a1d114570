"""Which tests run when nobody names any, what is said about the others, and what a failing test may not do to the rest.

`uv run pytest` leaves out what takes long or needs much (the marks below). It runs when CI=true, when a mark or a file
is named, and is otherwise named in one line each.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CI = os.environ.get("CI") == "true"
MARKS = {
    "browser": "drive a browser",
    "builds": "build wheels, bundles and environments",
    "processes": "start several processes each",
    "soak": "run long or under load",
    "tools": "speak with other makers' clients",
}
BROWSER_IS_MISSING = find_spec("playwright") is None and not CI
"""Then the tests in `view` cannot even be collected."""


class Selection:
    """A pytest plugin. Under xdist one is in the controller, which reports, and one in each worker, which selects."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.left_out: Counter[str] = Counter()
        self.left_behind: list[str] = []
        worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        named = config.option.markexpr or any(".py" in str(argument) for argument in config.args)
        self.everything = worker["everything"] if worker else bool(CI or named)
        self.is_worker = worker is not None

    # --- Which tests run

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what is marked."""
        if self.everything:
            return
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            mark = next((mark for mark in MARKS if item.get_closest_marker(mark)), None)
            (dropped if mark else kept).append(item)
            self.left_out.update([mark] if mark else [])
        items[:] = kept
        self.config.hook.pytest_deselected(items=dropped)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what the controller was asked for."""
        node.workerinput["everything"] = self.everything

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker has left out: each of them has collected the same."""
        told: dict[str, Any] = getattr(node, "workeroutput", None) or {}
        self.left_out = Counter(told.get("left_out", {})) or self.left_out
        self.left_behind += told.get("left_behind", [])

    # --- What a failing test may not do

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Collect what a failed test has left before its source is parsed for the report, and nothing while it is.

        A finalizer that warns in the middle of `ast.parse` breaks the parser of CPython 3.11 and with it the run.
        """
        if call.excinfo is None:
            return (yield)
        gc.collect()
        gc.disable()
        try:
            report = yield
        finally:
            gc.enable()
        skipped = isinstance(call.excinfo.value, pytest.skip.Exception)
        # Those of `skipif` are about the platform; all others miss something that CI has.
        if CI and skipped and not getattr(call.excinfo.value, "_use_item_location", False):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was left out although CI=true: {call.excinfo.value}"
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Pass on what a worker has left out; end processes that a test has left behind, and fail for them."""
        if self.is_worker or not self.config.getoption("numprocesses", None):
            self.left_behind = _end_children()
        if self.is_worker:
            output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]  # xdist puts it there
            output |= {"left_out": dict(self.left_out), "left_behind": self.left_behind}
        elif self.left_behind and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line for each kind of test that was left out."""
        lines = [f"{self.left_out[mark]} tests that {what}: {_command(mark)}" for mark, what in MARKS.items()
                 if self.left_out[mark]]  # fmt: skip
        if BROWSER_IS_MISSING:
            lines.insert(0, f"tests/browser, whose tests {MARKS['browser']}: {_command('browser')}")
        if lines:
            terminalreporter.section(
                "left out (CI=true runs all of them, CONTRIBUTING.md says what they need)", sep="-"
            )
            for line in lines:
                terminalreporter.write_line(line)
        for line in self.left_behind:
            terminalreporter.write_line(f"FAILED a process was left behind: {line}", red=True)


def _command(mark: str) -> str:
    return f"uv run --group dev pytest -m {mark}"


def _end_children() -> list[str]:
    """Command lines of this process's children that are still there, after killing them (Linux only)."""
    ended: list[str] = []
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in listing.read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if command and "multiprocessing.resource_tracker" not in command:
                os.kill(int(pid), 9)
                ended.append(command)
    return ended
