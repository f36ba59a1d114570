"""Start of a server: from the spawn to the result of tools/list and to the result of a first call; peak memory then."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .measured import TIMES, Section, compared, interleaved
from .servers import ERAS, Era, Stdio, bare, ours, peak_memory

_ROUNDS: Final = 15


@dataclass(slots=True)
class _Server:
    """One way of starting a server, and what was measured."""

    command: Sequence[str]
    cache: str
    """The user's cache folder; empty: a new one for each start."""
    call: tuple[str, Mapping[str, Any]]
    called: list[float] = field(default_factory=list[float])
    memory: list[float] = field(default_factory=list[float])

    def start(self, era: Era) -> float:
        """Start it once and return the milliseconds until tools/list is answered."""
        with (
            tempfile.TemporaryDirectory() as empty,
            Stdio(self.command, era=era, env={"XDG_CACHE_HOME": self.cache or empty}) as server,
        ):
            server.open()
            server.ask("tools/list")
            listed = time.perf_counter()
            server.call(*self.call)
            self.called.append((time.perf_counter() - server.started) * 1000)
            self.memory.append(peak_memory(server.process.pid))
            return (listed - server.started) * 1000


def run() -> Section:
    """Measure the first start, later starts and those of the reference."""
    section = Section(
        "Start",
        "Reference: the smallest server of the SDK's documentation (`references/bare_start.py`) in the same "
        "environment. First calls: an account of the sandbox, and an echo. " + TIMES,
    )
    for era in ERAS:
        with tempfile.TemporaryDirectory() as cache:
            account = ("get_pinned_videos", {"username": "nasa"})
            servers = {
                "later": _Server(ours("--sandbox"), cache, account),
                "first": _Server(ours("--sandbox"), "", account),
                "bare": _Server(bare(script="bare_start.py"), cache, ("echo", {"text": "nasa"})),
            }
            for server in servers.values():
                server.start(era)  # reads files that later starts find in memory
            listed = interleaved(
                _ROUNDS, {name: functools.partial(server.start, era) for name, server in servers.items()}
            )
        later, bare_one = servers["later"], servers["bare"]
        section.rows += [
            compared(f"spawn to tools/list, {era}", listed["later"], listed["bare"], "ms", goal=0.15),
            compared(f"the same, first start of all, {era}", listed["first"], listed["bare"], "ms", goal=1.1),
            compared(f"spawn to the first call's result, {era}", later.called, bare_one.called, "ms", goal=1.2),
            compared(f"peak memory after it, {era}", later.memory, bare_one.memory, "MiB", goal=1.2),
        ]
    return section
