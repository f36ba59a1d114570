"""Processes that share a file or a Redis count exactly, and recover after a loss of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kit.stores import RedisServer, running_redis

pytestmark = pytest.mark.anyio
WORKER = """
import asyncio, sys, time
from tiktok_pinned_videos.state.base import Counter
from tiktok_pinned_videos.state.open import open_store

async def main(url, ceiling):
    store = open_store(url, prefix="tpv:{0}:")
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while amount := await lines.readline():
        sent = []
        for _ in range(int(amount)):
            started = time.time()
            if (await store.count([Counter("used", int(ceiling), 4e9)])).granted:
                sent.append(started)
        total = (await store.count([Counter("used", int(ceiling), 4e9)], 0)).totals[0]
        print(total, *sent, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Worker:
    """A process that reserves requests."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.sent: list[float] = []
        """When the requests that were granted began."""

    async def count(self, amount: int) -> int:
        """Reserve; the total that the store reports."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"%d\n" % amount)
        total, *sent = (await self.process.stdout.readline()).split()
        self.sent += map(float, sent)
        return int(total)


@contextlib.asynccontextmanager
async def workers(url: str, ceiling: int) -> AsyncIterator[Callable[[], asyncio.Task[Worker]]]:
    """Starts workers; all are killed in the end."""
    started: list[asyncio.subprocess.Process] = []

    async def start() -> Worker:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, url, str(ceiling), stdin=pipe, stdout=pipe, limit=1 << 24
        )
        started.append(process)
        return Worker(process)

    try:
        yield lambda: asyncio.create_task(start())
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of asyncio")
@pytest.mark.parametrize("medium", ["file", "redis"])
async def test_four_processes_count_exactly(medium: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/state.sqlite3"
    if medium == "redis":
        url = request.getfixturevalue("redis_url")
    async with workers(url, 395) as start:
        fleet = [await start() for _ in range(4)]
        await asyncio.gather(*(worker.count(100) for worker in fleet))

        assert sum(len(worker.sent) for worker in fleet) == 395
        assert await fleet[0].count(0) == 395


class FileTrouble:
    """What may happen to a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.sqlite3"
        self.url = f"sqlite:///{self.path}"
        self.backup = folder / "backup"

    async def happen(self, dice: random.Random) -> None:
        if not self.path.exists():
            return
        match dice.choice(["delete", "delete all", "back up", "restore", "truncate", "damage"]):
            case "delete":
                self.path.unlink()
            case "delete all":
                for file in self.path.parent.glob("state*"):
                    file.unlink()
            case "back up":
                shutil.copyfile(self.path, self.backup)
            case "restore" if self.backup.exists():
                shutil.copyfile(self.backup, self.path)
            case "truncate":
                os.truncate(self.path, 4096)
            case _:
                with self.path.open("r+b") as file:
                    file.seek(4096)
                    file.write(b"x" * 8192)


class RedisTrouble:
    """What may happen to a Redis."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.url = server.url

    async def happen(self, dice: random.Random) -> None:
        match dice.choice(["flush", "restart", "outage", "restore"]):
            case "flush":
                await self.server.command("FLUSHALL")
            case "restart":
                self.server.kill()
                await asyncio.to_thread(self.server.start)
            case "outage":
                self.server.kill()
                await asyncio.sleep(dice.random() * 2)
                await asyncio.to_thread(self.server.start)
            case _:
                await self.server.command("FLUSHALL")
                await self.server.command("HSET", "tpv:{0}:used", "an older process", "1")


@pytest.mark.skipif(sys.platform == "win32", reason="there an open file cannot be deleted")
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
@pytest.mark.slow
@pytest.mark.parametrize("medium", ["file", "redis"])
async def test_three_seconds_after_the_last_fault_the_store_has_the_counts_of_living_processes(
    medium: str, seed: int, tmp_path: Path
) -> None:
    dice, quota = random.Random(seed), 30
    with contextlib.ExitStack() as stack:
        trouble = FileTrouble(tmp_path) if medium == "file" else RedisTrouble(stack.enter_context(running_redis()))
        async with workers(trouble.url, quota) as start:
            fleet, gone, losses = [await start() for _ in range(3)], list[Worker](), list[float]()
            for _ in range(5):
                await asyncio.gather(*(worker.count(dice.randrange(3)) for worker in fleet))
                losses.append(time.time())
                await trouble.happen(dice)
                if dice.random() < 0.2:
                    gone.append(fleet.pop())
                    gone[-1].process.kill()
                    fleet.append(await start())
            await asyncio.sleep(3)
            fresh = await start()
            living = sum(len(worker.sent) for worker in fleet)
            sent = [moment for worker in fleet + gone for moment in worker.sent]
            extra = sum(any(loss <= moment <= loss + 3 for loss in losses) for moment in sent)

            assert await fresh.count(0) >= living
            assert len(sent) - quota <= extra
