"""What calls see of a state store that dies, stalls or was never usable: nothing but at most a short delay."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from kit import RedisServer
from tiktok_pinned_videos.state.base import StateStoreError
from tiktok_pinned_videos.state.memory import MemoryStore
from tiktok_pinned_videos.state.open import open_store
from tiktok_pinned_videos.state.redis import RedisStore
from tiktok_pinned_videos.state.resilient import ResilientStore
from tiktok_pinned_videos.state.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio

LOGGER = "tiktok_pinned_videos.state.resilient"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, as level and first words."""
    return [f"{record.levelname} {record.getMessage().split(':')[0]}" for record in caplog.records]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER)


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[ResilientStore]:
    store = ResilientStore(RedisStore(redis_server.url))
    yield store
    await store.aclose()


@pytest.fixture
async def quick(redis_server: RedisServer) -> AsyncIterator[ResilientStore]:
    """The same, but it tries again sooner: for tests that are not about how soon."""
    store = hasty(redis_server)
    yield store
    await store.aclose()


def hasty(server: RedisServer) -> ResilientStore:
    return ResilientStore(RedisStore(server.url), limit=0.45, retry_after=0.5)


async def recovered(store: ResilientStore, within: float) -> float:
    """Seconds until calls have brought the primary back."""
    started = time.monotonic()
    while store.degraded:
        assert time.monotonic() - started < within, "not shared again"
        await store.get("any")
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def test_a_killed_redis_is_survived_with_one_log_line_and_found_again_with_its_counters(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(5):
        await store.increment("ledger", ttl=600, ceiling=40)
    await store.set("value", b"shared", ttl=600)
    redis_server.kill()

    started = time.monotonic()
    numbers = await asyncio.gather(*(store.increment("ledger", ttl=600, ceiling=40) for _ in range(20)))
    for _ in range(100):
        assert await store.get("value") is None
    assert time.monotonic() - started < 1

    assert sorted(number or 0 for number in numbers) == list(range(6, 26))
    assert await store.get("ledger") == b"25"
    assert await store.increment("ledger", 16, ttl=600, ceiling=40) is None
    assert store.degraded
    assert store.describe().endswith("(degraded: memory of this process until it returns)")
    assert lines(caplog) == ["WARNING State store lost"]

    redis_server.start()
    assert await recovered(store, within=3) < 2.5
    assert await store.increment("ledger", ttl=600, ceiling=40) == 26
    assert lines(caplog) == ["WARNING State store lost", "INFO State store back"]
    other = RedisStore(redis_server.url)
    assert await other.get("ledger") == b"26"
    await other.aclose()


async def test_a_redis_that_stays_dead_is_tried_again_in_silence(
    quick: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redis_server.kill()
    longest = 0.0
    ends = time.monotonic() + 1.2  # two tries
    while (started := time.monotonic()) < ends:
        await quick.set("key", b"", ttl=60)
        longest = max(longest, time.monotonic() - started)
        await asyncio.sleep(0.01)

    assert longest < 1
    assert lines(caplog) == ["WARNING State store lost"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot freeze a process by a signal")
async def test_a_silent_redis_delays_everyone_together_and_only_once(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await store.increment("ledger", ttl=600)
    redis_server.send_signal(signal.SIGSTOP)

    async def caller() -> None:
        for _ in range(10):
            await store.increment("ledger", ttl=600)
            await store.get("ledger")

    started = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(20)))
    assert time.monotonic() - started < 1.2
    assert await store.get("ledger") == b"201"

    await asyncio.sleep(1.6)
    started = time.monotonic()
    await store.get("ledger")  # begins a try, and does not wait for it
    assert time.monotonic() - started < 0.1
    assert lines(caplog) == ["WARNING State store lost"]

    redis_server.send_signal(signal.SIGCONT)
    await recovered(store, within=3)
    count = int(await store.get("ledger") or 0)
    assert 201 <= count <= 221  # what was under way may have been counted twice, never lost


async def test_a_redis_restarted_behind_our_back_is_told_what_it_forgot(
    quick: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await quick.increment("ledger", 30, ttl=600)
    await quick.increment("other", 7, ttl=600)
    redis_server.restart()
    await asyncio.sleep(0.05)

    assert await quick.increment("ledger", ttl=600, ceiling=31) == 31
    assert await quick.increment("ledger", ttl=600, ceiling=31) is None
    await recovered(quick, within=3)
    other = RedisStore(redis_server.url)
    assert [await other.get("ledger"), await other.get("other")] == [b"31", b"7"]
    await other.aclose()
    assert lines(caplog).count("WARNING State store lost") <= 1


async def test_replicas_restore_a_forgotten_counter_once_and_add_what_each_has_counted(
    quick: ResilientStore,
    redis_server: RedisServer,
) -> None:
    second = hasty(redis_server)
    await quick.increment("ledger", 10, ttl=600)
    assert await second.increment("ledger", 10, ttl=600) == 20
    assert await quick.increment("ledger", ttl=600) == 21
    assert await second.increment("ledger", ttl=600) == 22
    redis_server.kill()
    assert await quick.increment("ledger", 3, ttl=600) == 24
    assert await second.increment("ledger", 4, ttl=600) == 26
    redis_server.start()
    await asyncio.gather(recovered(quick, within=3), recovered(second, within=3))

    count = await quick.get("ledger")
    await second.aclose()
    assert count == b"29"  # 22 + 3 + 4, whichever of them comes back first


async def test_a_counter_deleted_by_another_replica_stays_deleted(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    await store.increment("ledger", 30, ttl=600)
    other = RedisStore(redis_server.url)
    await other.delete("ledger")
    await other.aclose()

    assert await store.increment("ledger", ttl=600) == 1


async def test_a_counter_expires_on_time_although_another_replica_began_it(
    redis_server: RedisServer,
) -> None:
    other = RedisStore(redis_server.url)
    await other.increment("window", 9, ttl=1.0)
    store = ResilientStore(RedisStore(redis_server.url))
    assert await store.increment("window", ttl=600) == 10
    redis_server.kill()
    assert await store.increment("window", ttl=600) == 11
    await asyncio.sleep(1.05)

    assert await store.get("window") is None
    assert await store.increment("window", ttl=600) == 1
    await store.aclose()
    await other.aclose()


async def test_a_replica_that_was_only_refused_knows_in_an_outage_that_the_ceiling_is_reached(
    redis_server: RedisServer,
) -> None:
    other = RedisStore(redis_server.url)
    await other.increment("ledger", 25, ttl=600)
    await other.aclose()
    store = ResilientStore(RedisStore(redis_server.url))
    assert await store.increment("ledger", ttl=600, ceiling=25) is None
    redis_server.kill()

    assert await store.increment("ledger", ttl=600, ceiling=25) is None
    await store.aclose()


async def test_a_lock_taken_in_an_outage_is_gone_after_it(
    quick: ResilientStore,
    redis_server: RedisServer,
) -> None:
    redis_server.kill()
    assert await quick.add("lock", b"me", ttl=600) is True
    assert await quick.add("lock", b"you", ttl=600) is False
    redis_server.start()
    await recovered(quick, within=3)

    assert await quick.add("lock", b"you", ttl=600) is True
    redis_server.kill()
    assert await quick.get("lock") is None


async def test_a_redis_that_takes_no_writes_is_an_outage(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redis_server.kill()
    redis_server.start("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    await store.get("key")
    await store.set("key", b"value", ttl=60)

    assert await store.get("key") == b"value"
    with pytest.raises(StateStoreError, match=r"OOM|maxmemory"):
        await store.ping()
    assert lines(caplog) == ["WARNING State store lost"]


async def test_a_ping_says_why_redis_cannot_be_used_and_finds_it_again(
    quick: ResilientStore,
    redis_server: RedisServer,
) -> None:
    await quick.ping()
    redis_server.kill()
    with pytest.raises(StateStoreError, match=r"(?i)connect"):
        await quick.ping()
    await quick.get("key")
    redis_server.start()
    await asyncio.sleep(0.55)
    await quick.ping()  # a health check alone brings an idle replica back
    await asyncio.sleep(0.2)

    assert not quick.degraded


async def test_closing_in_an_outage_leaves_no_task_and_does_not_hang(
    redis_server: RedisServer,
) -> None:
    before = asyncio.all_tasks()
    store = ResilientStore(RedisStore(redis_server.url), limit=0.2, retry_after=0.25)
    await store.set("key", b"", ttl=60)
    redis_server.kill()
    await store.set("key", b"", ttl=60)
    await asyncio.sleep(0.3)
    await store.set("key", b"", ttl=60)
    started = time.monotonic()
    await store.aclose()

    assert time.monotonic() - started < 1
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


class Unreliable(MemoryStore):
    """A store of a third kind whose driver throws what it likes."""

    failure: Exception | None = None

    async def get(self, key: str) -> bytes | None:
        if self.failure:
            raise self.failure
        return await super().get(key)

    async def ping(self) -> None:
        if self.failure:
            raise self.failure


async def test_when_to_try_again_depends_on_time_and_not_on_calls(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    primary = Unreliable()
    await primary.set("key", b"there", ttl=60)
    store = ResilientStore(primary, monotonic=lambda: now)
    primary.failure = RuntimeError("hunter2")
    assert await store.get("key") is None
    primary.failure = None
    for _ in range(500):
        assert await store.get("key") is None
        await asyncio.sleep(0)
    now = 1.6
    await store.get("key")
    await asyncio.sleep(0.01)

    assert await store.get("key") == b"there"
    assert lines(caplog) == ["WARNING State store lost", "INFO State store back"]
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text
    await store.aclose()


# SQLite


def _directory(file: Path) -> None:
    file.mkdir()


def _garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 200)


def _folder_is_a_file(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_bytes(b"")


@pytest.mark.parametrize("spoil", [_directory, _garbage, _folder_is_a_file])
async def test_a_file_that_cannot_be_used_costs_one_log_line_and_no_call(
    tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "folder" / "state.db"
    file.parent.mkdir()
    spoil(file)
    store = open_store(f"sqlite:///{file}")
    for number in range(1, 4):
        assert await store.increment("ledger", ttl=60) == number
    assert await store.add("lock", b"", ttl=60) is True
    await store.set("value", b"kept", ttl=60)

    assert await store.get("value") == b"kept"
    assert store.degraded
    assert lines(caplog) == ["WARNING State store lost"]
    assert str(file) in caplog.text
    await store.aclose()


async def test_a_file_locked_by_another_process_is_an_outage_that_ends_with_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.state.sqlite.LONGEST_WAIT", 0.3)
    file = tmp_path / "state.db"
    store = ResilientStore(SQLiteStore(file), limit=0.5, retry_after=0.6)
    await store.increment("ledger", 5, ttl=600)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        numbers = await asyncio.gather(*(store.increment("ledger", ttl=600) for _ in range(20)))
        assert time.monotonic() - started < 1
        assert sorted(number or 0 for number in numbers) == list(range(6, 26))
        other.execute("ROLLBACK")
    await recovered(store, within=3)

    assert await store.get("ledger") == b"25"
    assert lines(caplog) == ["WARNING State store lost", "INFO State store back"]
    await store.aclose()


FULL_DISK = """
import asyncio, logging, resource, sys
from tiktok_pinned_videos.state.open import open_store

async def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    store = open_store("sqlite:///" + sys.argv[1])
    await store.increment("ledger", 5, ttl=600)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for i in range(20):
        await store.set(f"key:{i}", bytes(20_000), ttl=600)
        assert await store.get(f"key:{i}") in (bytes(20_000), None)
    assert await store.increment("ledger", ttl=600) == 6
    print("degraded" if store.degraded else "whole")
    await store.aclose()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_full_disk_costs_one_log_line_and_no_call(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "state.db")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, check=False)

    assert done.stderr == ""
    assert done.returncode == 0
    warning, state = done.stdout.splitlines()
    assert warning.startswith("WARNING State store lost: SQLite file")
    assert state == "degraded"


READ_ONLY = """
import asyncio, logging, sys
from tiktok_pinned_videos.state.open import open_store

async def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    store = open_store("sqlite:///" + sys.argv[1])
    await store.set("value", b"new", ttl=600)
    assert await store.get("value") == b"new"
    assert await store.increment("ledger", ttl=600) == 1
    await store.aclose()

asyncio.run(main())
"""


def _even_as_root_obey_file_modes() -> None:
    import ctypes

    drop_from_bounding_set, overriding_modes = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
    ctypes.CDLL(None).prctl(drop_from_bounding_set, overriding_modes, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="takes the right to override file modes from root as Linux does")
@pytest.mark.parametrize("what", ["state.db", ""])
def test_a_read_only_file_or_folder_costs_one_log_line_and_no_call(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if what:
        asyncio.run(_write_once(folder / what))
    (folder / what).chmod(0o500)
    command = [sys.executable, "-c", READ_ONLY, str(folder / "state.db")]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        preexec_fn=_even_as_root_obey_file_modes,
    )
    folder.chmod(0o700)

    assert done.stderr == ""
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["WARNING State store lost"]


async def _write_once(file: Path) -> None:
    store = SQLiteStore(file)
    await store.set("value", b"old", ttl=600)
    await store.aclose()
