"""Stores to test. A redis-server on a free loopback port, in a folder of its own, without persistence."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from kit.programs import need, need_module
from tiktok_pinned_videos.state import base

Store = TypeVar("Store", bound=base.Store)
Opened = Callable[[Store], Store]
"""Takes a store that a test opens, and gives it back: the fixture `opened` closes it, even if the test fails."""


class RedisServer:
    """A server that can be killed, and started again on the same port."""

    def __init__(self, folder: str) -> None:
        self._program = need("redis-server")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        """Start it empty, and wait until it answers."""
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder]
        command += ["--save", "", "--appendonly", "no", "--loglevel", "warning", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self._answers():
            if self._process.poll() is not None:
                pytest.fail("redis-server did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None

    async def command(self, *words: str) -> Any:
        from redis.asyncio import Redis

        async with Redis.from_url(self.url) as client:
            return await client.execute_command(*words)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return bool(connection.recv(16))
        return False


@contextlib.contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    need_module("redis")
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(folder)
        try:
            server.start(*options)
            yield server
        finally:
            server.kill()
