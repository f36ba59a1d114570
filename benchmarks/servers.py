"""The measured processes, and MCP as bytes, so that the figures contain no time of a client library."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from platformdirs import user_cache_path

Era = Literal["2025-11-25", "2026-07-28"]
ERAS: Final[tuple[Era, ...]] = ("2025-11-25", "2026-07-28")
ROOT: Final = Path(__file__).resolve().parents[1]
DISTRIBUTION: Final = "tiktok-pinned-videos-mcp"
ACCOUNT: Final = "slow_oven"
TOKEN: Final = "correct-horse-battery-staple"
"""The bearer token of both servers over HTTP."""
_REFERENCES: Final = ROOT / "benchmarks" / "references"
_CLEARED: Final = ("PYTHON", "TIKTOK_", "MCP_", "LOG_", "OTEL_", "VIRTUAL_ENV", "UV_PROJECT")
_CLIENT: Final = {"name": "benchmarks", "version": "1"}
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


# --- Commands


@functools.cache
def python() -> Path:
    """Return the interpreter of an environment as users have it: this tree's wheel and what it depends on, compiled.

    Without uv or a package index, return the interpreter that runs the benchmarks.
    """
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    folder = user_cache_path(f"{DISTRIBUTION}-benchmarks", appauthor=False) / version
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--reinstall-package", DISTRIBUTION]
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--no-project", "--python", sys.executable, str(folder)],
        [*install, "--python", str(interpreter), str(ROOT)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=300)
        except (OSError, subprocess.SubprocessError) as fault:
            print(f"measured in this environment, because uv could not make one: {fault}", file=sys.stderr)
            return Path(sys.executable)
    return interpreter


def ours(*arguments: str) -> list[str]:
    """Return the command of this server."""
    return [str(python().parent / (DISTRIBUTION + (".exe" if os.name == "nt" else ""))), *arguments]


def bare(*arguments: str, script: str = "bare.py") -> list[str]:
    """Return the command of the reference server."""
    return [str(python()), str(_REFERENCES / script), *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Return this process's variables without those that configure a server or Python, and with these."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_CLEARED)} | variables


def configured(upstream: str, **more: str) -> dict[str, str]:
    """Return the environment of either server with `upstream` in TikTok's place."""
    return {
        "TIKTOK_API_BASE_URL": upstream,
        "TIKTOK_CLIENT_KEY": "a-client-key",
        "TIKTOK_CLIENT_SECRET": "a-client-secret",
        "TIKTOK_STATE": "memory:",
        "TIKTOK_DAILY_QUOTA": "1000000000",
        "MCP_BEARER_TOKEN": TOKEN,
        **more,
    }


# --- Standard input and output


def request(number: int, method: str, params: Mapping[str, Any] | None = None, *, era: Era) -> bytes:
    """Return a request as one line. Since 2026-07-28 each request names the version and the client."""
    sent = dict(params or {}) | ({} if era == "2025-11-25" else {"_meta": _META})
    message = {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": sent} if sent else {})
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def call(number: int, tool: str, arguments: Mapping[str, Any], *, era: Era) -> bytes:
    """Return a call of a tool as one line."""
    return request(number, "tools/call", {"name": tool, "arguments": dict(arguments)}, era=era)


class Stdio:
    """A server process on standard input and output, started when this is constructed."""

    def __init__(
        self, command: Sequence[str], *, era: Era = "2025-11-25", env: Mapping[str, str] | None = None
    ) -> None:
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(**(env or {})),
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self._era: Era = era
        self._number = 0

    def __enter__(self) -> Stdio:
        return self

    def __exit__(self, *_: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]) -> None:
        self._in.close()
        _end(self.process, 10)
        self._out.close()

    def open(self) -> None:
        """Send what a client sends first."""
        if self._era == "2025-11-25":
            self.ask("initialize", {"protocolVersion": self._era, "capabilities": {}, "clientInfo": _CLIENT})
            self._in.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        else:
            self.ask("server/discover")

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return its result."""
        self._number += 1
        reply = json.loads(self._exchange(request(self._number, method, params, era=self._era)))
        if reply.get("result", {"isError": True}).get("isError"):
            raise RuntimeError(f"{method} was answered with {reply}")
        return reply["result"]

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool and return its result."""
        return self.ask("tools/call", {"name": tool, "arguments": dict(arguments)})

    def times(self, tool: str, arguments: Sequence[Mapping[str, Any]]) -> list[float]:
        """Return the milliseconds of calls with each of these arguments, one after the other."""
        found: list[float] = []
        for each in arguments:
            self._number += 1
            line = call(self._number, tool, each, era=self._era)
            before = time.perf_counter()
            reply = self._exchange(line)
            found.append((time.perf_counter() - before) * 1000)
            if b'"isError":true' in reply or b'"result"' not in reply:
                raise RuntimeError(f"{tool} failed: {reply[:300]!r}")
        return found

    def _exchange(self, line: bytes) -> bytes:
        """Send a line and return the response; notifications before it are skipped."""
        self._in.write(line)
        self._in.flush()
        while reply := self._out.readline():
            if b'"id":' in reply:
                return reply
        raise RuntimeError(f"the server {self.process.args} ended")


def peak_memory(pid: int) -> float:
    """Return the MiB of physical memory a process has had at most; outside Linux and Windows, what it has now."""
    if sys.platform == "linux":
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    import psutil

    memory = psutil.Process(pid).memory_info()
    return getattr(memory, "peak_wset", memory.rss) / 2**20


# --- Processes that listen on a port


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that listens."""

    address: str
    pid: int


@contextlib.contextmanager
def upstream() -> Iterator[Listening]:
    """Run TikTok's side."""
    with listening([sys.executable, "-m", "benchmarks.upstream"]) as running:
        yield running


@contextlib.contextmanager
def answer_file(upstream: str) -> Iterator[str]:
    """Write this server's cached answer for `ACCOUNT` to a file, for the reference to return as many bytes."""
    with Stdio(ours(), env=configured(upstream)) as server, tempfile.TemporaryDirectory() as folder:
        server.open()
        for _ in range(2):
            result = server.call("get_pinned_videos", {"username": ACCOUNT})
        path = Path(folder) / "answer.json"
        answer = {"text": result["content"][0]["text"], "data": result["structuredContent"]}
        path.write_text(json.dumps(answer), encoding="utf-8")
        yield str(path)


@contextlib.contextmanager
def listening(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[Listening]:
    """Run a process until it prints the http address it listens on, and end it afterwards."""
    # stderr is a file: a pipe that is not read would block a server that logs.
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, cwd=ROOT,
            env=environment(**(env or {})),
        )  # fmt: skip
        try:
            yield Listening(_address(process, Path(stderr.name)), process.pid)
        finally:
            process.terminate()
            _end(process, 15)


def _address(process: subprocess.Popen[bytes], stderr: Path) -> str:
    deadline = time.monotonic() + 20
    printed = ""
    while time.monotonic() < deadline and process.poll() is None:
        printed = stderr.read_text(encoding="utf-8", errors="replace")
        for line in printed.splitlines(keepends=True):
            if " on http://" in line and line.endswith("\n"):
                return "http://" + line.partition(" on http://")[2].split()[0].rstrip(".,")
        time.sleep(0.02)
    raise RuntimeError(f"{process.args} did not start: {printed[-500:]}")


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
