"""What an assistant waits for when it starts: from the spawn to the answer of tools/list, and to that of a first call.

Ours as it starts for the first time, and as it starts from then on, against the smallest server of the same SDK in the
same environment, and against mcp-server-fetch.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import homes
from .measured import Claim, Result, figure, interleaved, number, ratio
from .settings import BARE_START, COMMAND
from .wire import ERAS, Era, StdioServer

_ROUNDS: Final = 15
_OURS: Final = "this server"
_FIRST: Final = "this server, first start"
_BARE: Final = "bare MCPServer"
_FETCH: Final = "mcp-server-fetch"
_PACKAGES: Final = {_OURS: homes.DISTRIBUTION, _FIRST: homes.DISTRIBUTION, _BARE: "mcp", _FETCH: _FETCH}


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    home: homes.Home
    program: str
    """A script that Python can run."""
    arguments: Sequence[str] = ()
    installed: Path | None = None
    cache: str = ""
    """The user's cache folder; empty: a new one for each start."""
    call: tuple[str, Mapping[str, Any]] | None = None
    """A first call; None where the server would have to ask somebody."""
    eras: Sequence[Era] = ERAS

    def command(self, *options: str) -> list[str]:
        """How it is started; with `options` for Python when there are any."""
        if self.program.endswith(".py") or options:
            return [str(self.home.python), *options, self.program, *self.arguments]
        return [self.program, *self.arguments]


@dataclass(slots=True)
class _Found:
    """Of one server in one era: milliseconds to tools/list and to the first call's answer, MiB after it."""

    listed: list[float]
    called: list[float]
    memory: list[float]


def run() -> Result:
    """The table, a row for each server and era."""
    home, sdk, fetch = homes.ours(), homes.package("mcp"), homes.package(_FETCH)
    with tempfile.TemporaryDirectory() as cache:
        program, asked = home.script(COMMAND), ("get_pinned_videos", {"username": "nasa"})
        servers = [
            _Server(_OURS, home, program, ["--sandbox"], home.packages(), cache, asked),
            _Server(_FIRST, home, program, ["--sandbox"], home.packages(), "", asked),
            _Server(_BARE, home, BARE_START, (), sdk.packages() if sdk else None, cache, ("echo", {"text": "nasa"})),
        ]
        if fetch is not None:
            program = fetch.script(_FETCH)
            servers.append(_Server(_FETCH, fetch, program, (), fetch.packages(), cache, eras=ERAS[:1]))
        found = {(server.name, era): _Found([], [], []) for server in servers for era in server.eras}

        def start(server: _Server, era: Era) -> float:
            each, (listed, called, peak) = found[server.name, era], _start(server, era)
            each.called.append(called)
            each.memory.append(peak)
            return listed

        for server in servers:
            for era in server.eras:
                _start(server, era)  # the first start reads files that later ones find in memory
        contestants = {
            f"{server.name} {era}": lambda server=server, era=era: start(server, era)
            for server in servers
            for era in server.eras
        }
        times = interleaved(_ROUNDS, contestants)
        for (name, era), each in found.items():
            each.listed += times[f"{name} {era}"]
        modules = {server.name: _modules(server) for server in servers}
    return _told(servers, found, modules, own=home.own)


def _told(
    servers: Sequence[_Server], found: Mapping[tuple[str, Era], _Found], modules: Mapping[str, int], *, own: bool
) -> Result:
    result = Result(
        "cold-start",
        "Start, from spawn to tools/list and to the first call's answer",
        ["server", "era", "listed, ms", "to the bare one's", "first call, ms", "to the bare one's", "peak memory MiB",
         "modules", "installed MiB"],
    )  # fmt: skip
    for server in servers:
        size = _size(server.installed) if server.installed else None
        for era in server.eras:
            mine, bare = found[server.name, era], found[_BARE, era]
            result.rows.append(
                [
                    f"{server.name} {server.home.version(_PACKAGES[server.name])}",
                    era,
                    str(figure(mine.listed)),
                    f"{ratio(mine.listed, bare.listed):.2f}",
                    str(figure(mine.called)) if server.call else "",
                    f"{ratio(mine.called, bare.called):.2f}" if server.call else "",
                    number(figure(mine.memory).median),
                    str(modules[server.name] or "?"),
                    number(size) if size is not None else "?",
                ]
            )
            result.data[f"{server.name}, {era}"] = {
                "listed_ms": figure(mine.listed),
                "called_ms": figure(mine.called),
                "peak_memory_mib": figure(mine.memory),
                "modules": modules[server.name],
                "installed_mib": size,
            }
    for era in ERAS:
        ours, first, bare = found[_OURS, era], found[_FIRST, era], found[_BARE, era]
        result.claims += [
            _claim(f"start, spawn to tools/list, {era}", ours.listed, bare.listed, "ms", 0.15),
            _claim(f"the very first start, {era}", first.listed, bare.listed, "ms", 1.0),
            _claim(f"spawn to the first call's answer, {era}", ours.called, bare.called, "ms", 1.2),
            _claim(f"peak memory after it, {era}", ours.memory, bare.memory, "MiB", 1.2),
        ]
    result.notes.append("First calls: one account of the sandbox, and an echo; mcp-server-fetch is not called.")
    if len(servers) < 4:
        result.notes.append("mcp-server-fetch could not be installed here and is left out.")
    if not own:
        result.notes.append("No environment like a user's could be made; this interpreter's may hold more.")
    return result


def _claim(what: str, ours: Sequence[float], bare: Sequence[float], unit: str, goal: float) -> Claim:
    told = [f"{number(figure(values).median)} {unit}" for values in (ours, bare)]
    return Claim(what, told[0], f"{told[1]}, bare MCPServer", ratio(ours, bare), goal)


def _start(server: _Server, era: Era) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as nothing:
        variables = {"XDG_CACHE_HOME": server.cache or nothing}
        with StdioServer(server.command(), era=era, variables=variables) as process:
            process.open()
            process.ask("tools/list")
            listed = time.perf_counter()
            if server.call is not None:
                process.call(*server.call)
            called = time.perf_counter()
            return (listed - process.started) * 1000, (called - process.started) * 1000, process.peak_memory()


def _modules(server: _Server) -> int:
    """How many modules are imported before the first request; 0 where the program is no script (Windows)."""
    told = subprocess.run(
        server.command("-X", "importtime"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=homes.environment(TIKTOK_INSTANT="0"),
        timeout=60,
        check=False,
    )
    return len(re.findall(rb"^import time: +\d", told.stderr, re.MULTILINE))


def _size(folder: Path) -> float:
    """MiB of everything installed, without bytecode."""
    files = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file())
    return sum(path.stat().st_size for path in files) / 2**20
