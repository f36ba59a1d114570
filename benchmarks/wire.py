"""MCP as bytes, in both eras, so that no client library's time is in the figures. Standard input and output here."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from .homes import environment

Era = Literal["2025-11-25", "2026-07-28"]
ERAS: Final[tuple[Era, ...]] = ("2025-11-25", "2026-07-28")
SECRET: Final = "correct-horse-battery-staple"
"""The bearer token of the servers measured."""
_CLIENT: Final = {"name": "benchmarks", "version": "1"}
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(number: int, method: str, params: Mapping[str, Any] | None = None, *, era: Era) -> bytes:
    """One request as a line. From 2026-07-28 on, each says by itself which version and client it is from."""
    told = dict(params or {})
    if era != "2025-11-25":
        told["_meta"] = _META
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": method}
    if told:
        message["params"] = told
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def call(number: int, tool: str, arguments: Mapping[str, Any], *, era: Era) -> bytes:
    """A call of a tool."""
    return request(number, "tools/call", {"name": tool, "arguments": dict(arguments)}, era=era)


class StdioServer:
    """A server process that was started as assistants start it, and a conversation with it."""

    def __init__(self, command: Sequence[str], *, era: Era = "2025-11-25", variables: Mapping[str, str] | None = None):
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(**(variables or {})),
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in = self.process.stdin
        self._out = self.process.stdout
        self._buffer = b""
        self._era: Era = era
        self._number = 0

    def __enter__(self) -> StdioServer:
        return self

    def __exit__(self, *_: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]) -> None:
        self._in.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self._out.close()

    def open(self) -> None:
        """What a client says first."""
        if self._era == "2025-11-25":
            params = {"protocolVersion": self._era, "capabilities": {}, "clientInfo": _CLIENT}
            self.ask("initialize", params)
            self._in.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        else:
            self.ask("server/discover")

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A request and its result."""
        self._number += 1
        reply = json.loads(self.exchange(request(self._number, method, params, era=self._era)))
        if "result" not in reply:
            raise RuntimeError(f"{method} was answered with {reply}")
        return reply["result"]

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A call of a tool and its result."""
        return self.ask("tools/call", {"name": tool, "arguments": dict(arguments)})

    def exchange(self, line: bytes) -> bytes:
        """One line there, one line back; notifications on the way are passed over."""
        self._in.write(line)
        while True:
            reply = self._line()
            if b'"id":' in reply:
                return reply

    def times(self, tool: str, arguments: Sequence[Mapping[str, Any]]) -> list[float]:
        """Milliseconds of calls with each of these arguments, one after the other."""
        found: list[float] = []
        for each in arguments:
            self._number += 1
            line = call(self._number, tool, each, era=self._era)
            before = time.perf_counter()
            reply = self.exchange(line)
            found.append((time.perf_counter() - before) * 1000)
            if b'"isError":true' in reply or b'"result"' not in reply:
                raise RuntimeError(f"{tool} failed: {reply[:300]!r}")
        return found

    def peak_memory(self) -> float:
        """MiB of physical memory at most, so far."""
        return peak_memory(self.process.pid)

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            chunk = self._out.read(1 << 20)
            if not chunk:
                raise RuntimeError(f"the server {self.process.args} ended")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def peak_memory(pid: int) -> float:
    """MiB of physical memory a process had at most; where the system does not tell, what it has now."""
    if sys.platform == "linux":
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        kibibytes = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
        return int(kibibytes) / 1024
    import psutil

    memory = psutil.Process(pid).memory_info()
    return getattr(memory, "peak_wset", memory.rss) / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used: what is left of a figure when others are busy on the machine."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that listens."""

    address: str
    pid: int


@contextlib.contextmanager
def listening(command: Sequence[str], *, said: str, variables: Mapping[str, str] | None = None) -> Iterator[Listening]:
    """A process that says the http address it listens at on stderr, on a line with `said` in it."""
    # A file and no pipe: nobody would read on, and a server that logs would stand still when the pipe is full.
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("wb") as heard:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=heard,
            env=environment(**(variables or {})),
        )
        try:
            yield Listening(_address(process, Path(heard.name), said), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)


def _address(process: subprocess.Popen[bytes], heard: Path, said: str) -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        line = next((line for line in _text(heard).splitlines() if said in line), None)
        if line is not None:
            return next(word for word in line.split() if word.startswith("http://")).rstrip(".")
        time.sleep(0.02)
    raise RuntimeError(f"{process.args} did not start: {_text(heard)[-500:]}")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
