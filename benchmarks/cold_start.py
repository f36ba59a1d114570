"""What an assistant waits for when it starts: from the spawn of the process to the answer of tools/list."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import homes
from .measured import Claim, Result, figure, interleaved, number, ratio
from .settings import BARE_START, COMMAND
from .wire import StdioServer

_ROUNDS: Final = 15
_OURS: Final = "this server"
_BARE: Final = "bare MCPServer"
_PACKAGES: Final = {_OURS: homes.DISTRIBUTION, _BARE: "mcp", "mcp-server-fetch": "mcp-server-fetch"}


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    home: homes.Home
    program: str
    """A script that Python can run."""
    arguments: Sequence[str] = ()
    installed: Path | None = None

    def command(self, *options: str) -> list[str]:
        """How it is started; with `options` for Python when there are any."""
        if self.program.endswith(".py") or options:
            return [str(self.home.python), *options, self.program, *self.arguments]
        return [self.program, *self.arguments]


def run() -> Result:
    """Ours against the smallest server of the same SDK in the same environment, and against mcp-server-fetch."""
    home, sdk, fetch = homes.ours(), homes.package("mcp"), homes.package("mcp-server-fetch")
    servers = [
        _Server(_OURS, home, home.script(COMMAND), ["--sandbox"], home.packages()),
        _Server(_BARE, home, BARE_START, installed=sdk.packages() if sdk else None),
    ]
    if fetch is not None:
        servers.append(_Server("mcp-server-fetch", fetch, fetch.script("mcp-server-fetch"), (), fetch.packages()))
    memory: dict[str, list[float]] = {server.name: [] for server in servers}

    def start(server: _Server) -> float:
        milliseconds, peak = _start(server.command())
        memory[server.name].append(peak)
        return milliseconds

    for server in servers:
        _start(server.command())  # the first start reads files that later ones find in memory
    times = interleaved(_ROUNDS, {server.name: lambda server=server: start(server) for server in servers})
    result = Result(
        "cold-start",
        "Start, from spawn to tools/list",
        ["server", "ms", "to the bare one's", "peak memory MiB", "to the bare one's", "modules", "installed MiB"],
    )
    for server in servers:
        name, modules = server.name, _modules(server)
        size = _size(server.installed) if server.installed else None
        result.rows.append(
            [
                f"{name} {server.home.version(_PACKAGES[name])}",
                str(figure(times[name])),
                f"{ratio(times[name], times[_BARE]):.2f}",
                number(figure(memory[name]).median),
                f"{ratio(memory[name], memory[_BARE]):.2f}",
                str(modules or "?"),
                number(size) if size is not None else "?",
            ]
        )
        result.data[name] = {
            "ms": figure(times[name]),
            "peak_memory_mib": figure(memory[name]),
            "modules": modules,
            "installed_mib": size,
        }
    result.claims = [
        _claim("start, spawn to tools/list", times, "ms", 0.95),
        _claim("peak memory when tools are listed", memory, "MiB", 1.1),
    ]
    if fetch is None:
        result.notes.append("mcp-server-fetch could not be installed here and is left out.")
    if not home.own:
        result.notes.append("No environment like a user's could be made; this interpreter's may hold more.")
    return result


def _claim(what: str, found: Mapping[str, Sequence[float]], unit: str, goal: float) -> Claim:
    ours, bare = found[_OURS], found[_BARE]
    told = [f"{number(figure(values).median)} {unit}" for values in (ours, bare)]
    return Claim(what, told[0], f"{told[1]}, bare MCPServer", ratio(ours, bare), goal)


def _start(command: Sequence[str]) -> tuple[float, float]:
    with StdioServer(command) as server:
        server.open()
        server.ask("tools/list")
        return (time.perf_counter() - server.started) * 1000, server.peak_memory()


def _modules(server: _Server) -> int:
    """How many modules are imported before the first request; 0 where the program is no script (Windows)."""
    told = subprocess.run(
        server.command("-X", "importtime"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=homes.environment(),
        timeout=60,
        check=False,
    )
    return len(re.findall(rb"^import time: +\d", told.stderr, re.MULTILINE))


def _size(folder: Path) -> float:
    """MiB of everything installed, without bytecode."""
    files = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file())
    return sum(path.stat().st_size for path in files) / 2**20
