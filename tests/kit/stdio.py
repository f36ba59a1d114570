"""The server over stdio as an assistant starts it: a process, what is written to it, and what it writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal

import pytest

from kit.processes import COMMAND, HELLO, META, environment, remembered, running_async

Era = Literal["modern", "legacy"]
ERAS: tuple[Era, ...] = ("modern", "legacy")


def in_both_ways(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have all conversations of a file begin in both ways, with and without a snapshot.

    A fixture by `start = pytest.fixture(params=STARTS, autouse=True)(in_both_ways)`.
    """
    cache = tmp_path_factory.getbasetemp() / "cache" if request.param else Path(os.devnull)
    monkeypatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


def surroundings(*arguments: str, **env: str) -> dict[str, str]:
    """The environment of a server that was started before, where it can remember that."""
    told = environment(**env)
    return remembered(told, *arguments) if told["XDG_CACHE_HOME"] != os.devnull else told


def line(message: dict[str, Any]) -> bytes:
    """A message."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def call(number: int, username: str, era: Era = "legacy", **arguments: Any) -> bytes:
    """A call of `get_pinned_videos`."""
    parameters = {"name": "get_pinned_videos", "arguments": {"username": username, **arguments}}
    return line({"id": number, "method": "tools/call", "params": parameters | (META if era == "modern" else {})})


def listing(number: int, era: Era = "legacy") -> bytes:
    """A request for the tools."""
    return line({"id": number, "method": "tools/list", "params": META if era == "modern" else {}})


GREETING = line({"id": 0, "method": "initialize", "params": HELLO}) + line({"method": "notifications/initialized"})


class Started:
    """The process, and what it writes, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.messages: list[dict[str, Any]] = []

    def send(self, *lines: bytes) -> None:
        """Without waiting until the server takes them."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(lines))

    async def answer(self, number: int | None) -> dict[str, Any]:
        """The message with this id, reading on until it comes. Every line before it must be protocol."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while True:
                written = await self.process.stdout.readline()
                assert written, f"stdout closed without an answer to {number}"
                message = json.loads(written)
                assert message["jsonrpc"] == "2.0"
                self.messages.append(message)
                if message.get("id", "none") == number:
                    return message

    async def hang_up(self) -> tuple[int, float]:
        """Close stdin; the exit code and the seconds it took. What is still written must be protocol."""
        assert self.process.stdin is not None
        started = time.monotonic()
        self.process.stdin.close()
        return await self.end(started)

    async def end(self, started: float) -> tuple[int, float]:
        """Wait for the end: the exit code and the seconds since `started`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            rest = await self.process.stdout.read()
            code = await self.process.wait()
        for written in rest.splitlines():
            assert json.loads(written)["jsonrpc"] == "2.0"
        return code, time.monotonic() - started


@contextlib.asynccontextmanager
async def started(*arguments: str, **env: str) -> AsyncGenerator[Started]:
    """Such a process, gone at the end."""
    async with running_async(
        *(*COMMAND, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(*arguments, TIKTOK_STATE="memory:", **env),
        limit=64 << 20,
    ) as process:
        yield Started(process)


async def greeted(server: Started, era: Era) -> None:
    """Say what comes before everything else in this era."""
    if era == "legacy":
        server.send(GREETING)
        assert (await server.answer(0))["result"]["serverInfo"]["name"] == "tiktok-pinned-videos"
