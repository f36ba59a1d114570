"""Processes of the server: their environment, the server over HTTP, and its clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import IO, Any

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

COMMAND = [sys.executable, "-m", "tiktok_pinned_videos"]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "0"}}
"""Parameters of `initialize`."""
META = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
"""What a request of the modern era carries beside its own parameters."""
TOKEN = "a-token-of-sixteen-or-more"
"""The shared secret of the fixture `guarded_server`."""
PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
_OURS = ("TIKTOK_", "MCP_", "OTEL_", "LOG_")


def environment(**ours: str) -> dict[str, str]:
    """This process's environment without anything that would configure the server, and `ours`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {"PYTHONUTF8": "1"} | ours


def message(method: str, number: object = None, params: object = None) -> bytes:
    """A line of JSON-RPC."""
    facts = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps({name: value for name, value in facts.items() if value is not None}).encode() + b"\n"


@contextlib.contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[Any]:
    """A process that is gone in the end, and its pipes closed, whatever the test does."""
    process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@contextlib.asynccontextmanager
async def running_async(*command: str, **how: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same for a test that waits for other things too."""
    process = await asyncio.create_subprocess_exec(*command, **how)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        with contextlib.suppress(RuntimeError):  # somebody reads already, and will come to the end
            await process.communicate()


class HTTPServer:
    """The server as users start it: `http --port 0` in a process of its own, its words on stderr at hand."""

    def __init__(
        self, *arguments: str, env: Mapping[str, str] | None = None, sandbox: bool = True,
        program: Sequence[str] = COMMAND,
    ) -> None:  # fmt: skip
        command = [*program, "http", "--port", "0", *(["--sandbox"] if sandbox else []), *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(**(env or {})), encoding="utf-8"
        )
        self.lines: list[str] = []
        self._news: queue.Queue[str | None] = queue.Queue()
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        try:
            started = self.wait_for(r"MCP server on (http://\S+)")
        except BaseException:
            self.kill()
            raise
        self.url = started.group(1)
        self.base = self.url.removesuffix("/mcp")
        host, _, port = self.base.removeprefix("http://").rpartition(":")
        self.address = (host, int(port))

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line on stderr, from the last one waited for on, that has `pattern` in it."""
        while (line := self._news.get(timeout=60)) is not None:
            if found := re.search(pattern, line):
                return found
        pytest.fail(f"no {pattern!r} on stderr, but: {self.lines}")

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """SIGTERM, or another signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 60) -> int:
        """Its exit code."""
        code = self.process.wait(timeout)
        self._reader.join(2)
        return code

    def kill(self) -> None:
        """SIGKILL, and everything closed."""
        self.process.kill()
        self.process.wait(60)
        self._reader.join(2)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip("\n"))
            self._news.put(line)
        self._news.put(None)


@contextlib.contextmanager
def http_server(*arguments: str, **options: Any) -> Iterator[HTTPServer]:
    """Such a server, gone at the end."""
    server = HTTPServer(*arguments, **options)
    try:
        yield server
    finally:
        server.kill()


@contextlib.asynccontextmanager
async def http_client(
    url: str, *, mode: str = "auto", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    """An MCP client over HTTP that sends `headers` with everything."""
    async with (
        httpx2.AsyncClient(headers=dict(headers or {}), timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
"""The headers that every call needs."""
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """A complete request of the older era: needs no session here."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message in an event stream."""
    assert response.status_code == 200, response.text
    data = [line.removeprefix("data:") for line in response.text.splitlines() if line.startswith("data:")]
    return json.loads(data[-1])
