"""A real redis-server for tests: on a free loopback port, in a folder of its own, without persistence.

The fixtures are in conftest: `redis_server` is a test's own, to be killed and frozen; `shared_redis` is a database of
the one server of the session.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kit.programs import need, need_module


class RedisServer:
    """One server that can be killed, frozen and started again on the same port."""

    def __init__(self) -> None:
        self._program = need("redis-server")
        self._folder = tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        """Start it, with no memory of an earlier start, and wait until it answers."""
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder.name]
        command += ["--save", "", "--appendonly", "no", "--loglevel", "warning", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("redis-server did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL: it is gone without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def send_signal(self, number: int) -> None:
        """Such as SIGSTOP and SIGCONT, for a server that is there but silent."""
        assert self._process is not None
        self._process.send_signal(number)

    async def command(self, *words: str) -> Any:
        """Run one command as its administrator."""
        from redis.asyncio import Redis

        async with Redis.from_url(self.url) as client:
            return await client.execute_command(*words)

    def close(self) -> None:
        self.kill()
        self._folder.cleanup()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return bool(connection.recv(16))
        except OSError:
            return False


@dataclass(frozen=True)
class RedisDatabase:
    """One empty database of a server that other tests use too."""

    port: int
    number: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/{self.number}"


@contextlib.contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    need_module("redis")
    server = RedisServer()
    try:
        server.start(*options)
        yield server
    finally:
        server.close()
