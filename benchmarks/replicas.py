"""`python -m benchmarks.replicas`: what a call costs one replica, and what it costs the Redis that replicas share.

One replica is loaded until it is busy, answering from the cache or asking the upstream every time. Redis is far from
busy then; its processor time per call says how many calls one Redis carries, however many replicas they come from.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from . import settings
from .load import load, post
from .measured import Result, number
from .wire import Listening, cpu_seconds, listening

_SECONDS: Final = 4.0
_CONNECTIONS: Final = 16
_CASES: Final = (("memory", "cached"), ("memory", "asked"), ("redis", "cached"), ("redis", "asked"))


@dataclass(frozen=True, slots=True)
class _Redis:
    client: Any
    pid: int
    url: str

    def commands(self) -> int:
        """Commands carried out so far, those inside scripts too."""
        stats: dict[str, Any] = self.client.info("commandstats")
        return sum(each["calls"] for each in stats.values())


def run() -> Result:
    """The table, a row for each store and kind of call."""
    result = Result(
        "replicas",
        f"One replica, {_CONNECTIONS} connections, 2026-07-28",
        ["store", "answered", "calls per s", "p99 ms", "replica's processor ms", "Redis's processor ms",
         "Redis commands", "calls per s that one Redis carries"],
    )  # fmt: skip
    with settings.upstream() as source, _redis() as redis:
        for store, kind in _CASES:
            variables = settings.configured(source.address, state=redis.url if store == "redis" else "memory:")
            command = [sys.executable, "-m", "tiktok_pinned_videos", "http", "--port", "0"]
            with listening(command, said="MCP server on", variables=variables) as server:
                request = _requests(server, kind)
                load(server, _CONNECTIONS, 0.5, request)
                commands, processor = redis.commands(), cpu_seconds(redis.pid)
                measured = load(server, _CONNECTIONS, _SECONDS, request)
                calls = measured.per_second * _SECONDS
                commands, processor = redis.commands() - commands, cpu_seconds(redis.pid) - processor
            row = [store, kind, number(measured.per_second), number(measured.p99_ms), number(measured.cpu_ms)]
            if store == "redis" and processor:
                row += [number(processor / calls * 1000), number(commands / calls), number(calls / processor)]
            result.rows.append(row + [""] * (len(result.columns) - len(row)))
    return result


def _requests(server: Listening, kind: str) -> Callable[[], bytes]:
    if kind == "cached":
        request = post(server.address, "get_pinned_videos", settings.ACCOUNT, era="2026-07-28")
        return lambda: request
    numbers = itertools.count()
    return lambda: post(server.address, "get_pinned_videos", f"account{next(numbers)}", era="2026-07-28")


@contextlib.contextmanager
def _redis() -> Iterator[_Redis]:
    import redis

    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            client: Any = redis.Redis(port=port)
            until = time.monotonic() + 10
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.02)
            yield _Redis(client, process.pid, f"redis://127.0.0.1:{port}/0")
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    print(run().as_markdown())
