"""What calls see of a state store that dies, stalls or was never usable: nothing but at most a short delay."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from kit import Opened, RedisServer, running_redis, stored, until
from tiktok_pinned_videos.service.single_flight import Lease
from tiktok_pinned_videos.state.base import CounterLostError, StateStoreError
from tiktok_pinned_videos.state.memory import MemoryStore
from tiktok_pinned_videos.state.open import open_store
from tiktok_pinned_videos.state.redis import Command, RedisStore
from tiktok_pinned_videos.state.resilient import ResilientStore
from tiktok_pinned_videos.state.sqlite import SQLiteStore
from tiktok_pinned_videos.state.steps import Step

pytestmark = pytest.mark.anyio

PREFIX = "tpv:0123456789abcdef:"
LOGGER = "tiktok_pinned_videos.state.resilient"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, as level and first words."""
    return [f"{record.levelname} {record.getMessage().split(':')[0]}" for record in caplog.records]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER)


@pytest.fixture
def store(redis_server: RedisServer, opened: Opened) -> ResilientStore:
    return opened(on(redis_server.url))


def on(url: str) -> ResilientStore:
    """What the server makes of a Redis."""
    return ResilientStore(RedisStore(url), prefix=PREFIX)


@contextlib.asynccontextmanager
async def replica(server: RedisServer) -> AsyncGenerator[ResilientStore]:
    """Another process's store on the same Redis."""
    async with contextlib.AsyncExitStack() as stack:
        other = on(server.url)
        stack.push_async_callback(other.aclose)
        yield other


async def in_redis(server: RedisServer, *keys: str) -> list[bytes | None]:
    """What Redis itself holds."""
    link = RedisStore(server.url)
    try:
        return await stored.get_many(link, [PREFIX + key for key in keys])
    finally:
        await link.aclose()


async def test_a_killed_redis_is_survived_with_one_log_line_and_found_again_with_its_counters(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(5):
        await stored.increment(store, "ledger", ttl=600, ceiling=40)
    await stored.put(store, "value", b"shared", ttl=600)
    redis_server.kill()

    numbers = await asyncio.gather(*(stored.increment(store, "ledger", ttl=600, ceiling=40) for _ in range(20)))
    assert await stored.get(store, "value") is None

    assert sorted(number or 0 for number in numbers) == list(range(6, 26))
    assert await stored.get(store, "ledger") == b"25"
    assert await stored.increment(store, "ledger", 16, ttl=600, ceiling=40) is None
    assert store.degraded
    assert store.describe().endswith("(degraded: memory of this process until it returns)")
    assert lines(caplog) == ["WARNING State store lost"]

    redis_server.start()
    await until(lambda: not store.degraded)  # nobody calls
    assert await stored.increment(store, "ledger", ttl=600, ceiling=40) == 26
    assert lines(caplog) == ["WARNING State store lost", "INFO State store back"]
    assert await in_redis(redis_server, "ledger") == [b"26"]


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot freeze a process by a signal")
async def test_a_silent_redis_loses_no_count_and_one_log_line_is_enough(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await stored.increment(store, "ledger", ttl=600)
    redis_server.send_signal(signal.SIGSTOP)

    async def caller() -> None:
        for _ in range(10):
            await stored.increment(store, "ledger", ttl=600)
            await stored.get(store, "ledger")

    await asyncio.gather(*(caller() for _ in range(20)))
    assert await stored.get(store, "ledger") == b"201"
    assert lines(caplog) == ["WARNING State store lost"]

    redis_server.send_signal(signal.SIGCONT)
    await until(lambda: not store.degraded)
    count = int(await stored.get(store, "ledger") or 0)
    assert 201 <= count <= 221  # what was under way may have been counted twice, never lost


async def test_a_redis_restarted_behind_our_back_is_told_what_it_forgot(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    await stored.increment(store, "ledger", 30, ttl=600)
    await stored.increment(store, "other", 7, ttl=600)
    redis_server.restart()

    assert await stored.increment(store, "ledger", ttl=600, ceiling=31) == 31
    assert await stored.increment(store, "ledger", ttl=600, ceiling=31) is None
    await until(lambda: not store.degraded)
    assert await in_redis(redis_server, "ledger", "other") == [b"31", b"7"]


async def test_replicas_restore_a_forgotten_counter_once_and_add_what_each_has_counted(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    async with replica(redis_server) as second:
        await stored.increment(store, "ledger", 10, ttl=600)
        assert await stored.increment(second, "ledger", 10, ttl=600) == 20
        assert await stored.increment(store, "ledger", ttl=600) == 21
        assert await stored.increment(second, "ledger", ttl=600) == 22
        redis_server.kill()
        assert await stored.increment(store, "ledger", 3, ttl=600) in (
            24,
            25,
        )  # it may have heard of the other's last one
        assert await stored.increment(second, "ledger", 4, ttl=600) == 26
        redis_server.start()
        await until(lambda: not store.degraded and not second.degraded)

        assert await in_redis(redis_server, "ledger") == [b"29"]  # 22 + 3 + 4, whichever of them comes back first


@pytest.mark.parametrize("lost", [["FLUSHALL"], ["DEL", PREFIX + "ledger"], ["SET", PREFIX + "ledger", "4", "KEEPTTL"]])
@pytest.mark.parametrize("knows_less_goes_first", [pytest.param(True, marks=pytest.mark.processes), False])
async def test_of_a_redis_that_forgot_no_replica_counts_lower_than_the_highest_that_any_has_seen(
    store: ResilientStore,
    redis_server: RedisServer,
    knows_less_goes_first: bool,
    lost: list[str],
) -> None:
    async with replica(redis_server) as second:
        for _ in range(6):
            await stored.increment(store, "ledger", 10, ttl=600, ceiling=100)
        for _ in range(4):
            await stored.increment(second, "ledger", 6, ttl=600, ceiling=100)  # 84, and only this one has seen it
        await redis_server.command(*lost)
        first, then = (store, second) if knows_less_goes_first else (second, store)

        sent = 84
        for replica_ in (first, then) * 20:
            sent += await stored.increment(replica_, "ledger", ttl=600, ceiling=100) is not None
        assert sent == 100
        assert await in_redis(redis_server, "ledger") == [b"100"]


@pytest.mark.parametrize(("least", "held"), [(0, [None, b"0"]), (25, [b"25"])])
async def test_a_counter_that_is_lost_and_restored_while_one_too_many_is_taken_back_is_not_too_low(
    redis_server: RedisServer, least: int, held: list[bytes | None], opened: Opened
) -> None:
    counting, other = (opened(RedisStore(redis_server.url)) for _ in range(2))
    await stored.increment(counting, "ledger", 25, ttl=600)
    send = counting._send  # pyright: ignore[reportPrivateUsage] - what happens between two commands has no other way to be seen
    calls = 0

    async def interrupted(*commands: Command) -> list[Any]:
        nonlocal calls
        calls += 1
        if calls == 2:  # between counting and taking back
            await redis_server.command("FLUSHALL")
            if least:
                await stored.raise_to(other, "ledger", least, ttl=600)
        return await send(*commands)

    counting._send = interrupted  # pyright: ignore[reportPrivateUsage] - as above
    assert await stored.increment(counting, "ledger", ttl=600, ceiling=25) is None

    assert calls == 2
    assert await stored.get(other, "ledger") in held


async def test_what_a_redis_that_forgot_has_counted_is_not_taken_from_what_others_have_restored(
    redis_server: RedisServer, opened: Opened
) -> None:
    counting = opened(RedisStore(redis_server.url))
    with pytest.raises(CounterLostError):
        await stored.increment(counting, "ledger", ttl=600, least=40)
    await stored.raise_to(counting, "ledger", 40, ttl=600)

    assert await stored.increment(counting, "ledger", ttl=600, least=40) == 41


async def test_a_counter_that_was_evicted_alone_is_restored_by_whoever_meets_it(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    await stored.increment(store, "ledger", 12, ttl=600, ceiling=20)
    await redis_server.command("DEL", PREFIX + "ledger")

    assert [await stored.increment(store, "ledger", ttl=600, ceiling=20) for _ in range(9)] == [*range(13, 21), None]


async def test_a_redis_restored_from_an_older_snapshot_is_raised_to_what_was_seen(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    await stored.increment(store, "ledger", 10, ttl=600)
    await redis_server.command("SET", PREFIX + "ledger", "4", "KEEPTTL")

    assert await stored.increment(store, "ledger", ttl=600) == 11


async def test_what_was_counted_in_an_outage_is_told_before_the_process_ends(
    redis_server: RedisServer,
) -> None:
    async with replica(redis_server) as store:
        await stored.increment(store, "ledger", 5, ttl=600)
        redis_server.kill()
        assert await stored.increment(store, "ledger", 3, ttl=600) == 8
        redis_server.start()
        # Stopped before the next try.
    assert await in_redis(redis_server, "ledger") == [b"8"]
    async with replica(redis_server) as store:
        assert await stored.increment(store, "ledger", ttl=600) == 9


async def test_a_replica_that_was_only_refused_knows_in_an_outage_that_the_ceiling_is_reached(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    async with replica(redis_server) as other:
        await stored.increment(other, "ledger", 25, ttl=600)
    assert await stored.increment(store, "ledger", ttl=600, ceiling=25) is None
    redis_server.kill()

    assert await stored.increment(store, "ledger", ttl=600, ceiling=25) is None


async def test_a_lease_that_may_have_expired_is_given_back_only_if_it_is_still_held(
    store: ResilientStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.service.single_flight._LEASE", 0.4)
    lease = Lease(store, "lease")
    assert (await lease.try_acquire())[0]
    await asyncio.sleep(0.5)  # the process stood still
    await stored.put(store, "lease", b"somebody else's", ttl=600)
    await lease.release()

    assert await stored.get(store, "lease") == b"somebody else's"


async def test_a_lock_taken_in_an_outage_is_gone_after_it(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    redis_server.kill()
    assert await stored.add(store, "lock", b"me", ttl=600) is True
    assert await stored.add(store, "lock", b"you", ttl=600) is False
    redis_server.start()
    await until(lambda: not store.degraded)

    assert await stored.add(store, "lock", b"you", ttl=600) is True
    redis_server.kill()
    assert await stored.get(store, "lock") is None


async def test_a_redis_that_takes_no_writes_is_an_outage(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redis_server.kill()
    redis_server.start("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    await stored.get(store, "key")
    await stored.put(store, "key", b"value", ttl=60)

    assert await stored.get(store, "key") == b"value"
    with pytest.raises(StateStoreError, match=r"OOM|maxmemory"):
        await store.ping()
    assert lines(caplog) == ["WARNING State store lost"]


async def test_a_ping_says_why_redis_cannot_be_used(
    store: ResilientStore,
    redis_server: RedisServer,
) -> None:
    await store.ping()
    redis_server.kill()

    with pytest.raises(StateStoreError, match=r"(?i)connect"):
        await store.ping()


async def test_more_calls_at_once_than_connections_are_no_outage(
    store: ResilientStore,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def call(number: int) -> int | None:
        await stored.put(store, f"value:{number}", b"x" * 2000, ttl=60)
        return await stored.increment(store, "ledger", ttl=600)

    numbers = await asyncio.gather(*(call(number) for number in range(1200)))

    assert sorted(number or 0 for number in numbers) == list(range(1, 1201))
    assert await in_redis(redis_server, "ledger") == [b"1200"]
    assert lines(caplog) == []


async def test_a_user_of_one_prefix_is_enough_and_what_it_may_not_do_is_named_once(
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    opened: Opened,
) -> None:
    caplog.set_level(logging.INFO)
    await redis_server.command("ACL", "SETUSER", "mcp", "on", ">word", f"~{PREFIX}*", "+@all", "-scan")
    store = opened(on(redis_server.url.replace("127", "mcp:word@127")))
    await stored.put(store, "value", b"kept", ttl=60)
    await stored.increment(store, "ledger", ttl=60)
    await stored.raise_to(store, "ledger", 4, ttl=60)
    await stored.hold(store, "pause", ttl=60)
    await stored.add(store, "lease", b"me", ttl=60)
    await stored.renew(store, "lease", b"me", ttl=60)
    await stored.delete(store, "lease", expected=b"me")
    await store.ping()
    found = [await stored.keys(store, "val", limit=9) for _ in range(2)]

    assert found == [[], []]
    assert not store.degraded
    assert [line for line in caplog.messages if "scan" in line.casefold()] == caplog.messages
    assert len(caplog.messages) == 1


async def test_a_command_that_is_not_allowed_is_named_in_the_line_about_the_outage(
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    opened: Opened,
) -> None:
    await redis_server.command("ACL", "SETUSER", "mcp", "on", ">word", f"~{PREFIX}*", "+@all", "-incrby")
    store = opened(on(redis_server.url.replace("127", "mcp:word@127")))

    assert await stored.increment(store, "ledger", ttl=60) == 1
    assert "incrby" in caplog.text
    assert "word" not in caplog.text.replace("password", "")


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot freeze a process by a signal")
async def test_a_silent_redis_keeps_a_crowd_waiting_no_longer_than_one(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.state.redis.MAX_CONNECTIONS", 4)
    narrow = opened(on(redis_server.url))
    await asyncio.gather(*(stored.get(narrow, "key") for _ in range(8)))
    redis_server.send_signal(signal.SIGSTOP)
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(stored.get(narrow, "key") for _ in range(200)))
    took = asyncio.get_running_loop().time() - started
    redis_server.send_signal(signal.SIGCONT)

    assert took < 20  # two seconds for those that were sent; in turn it would be a hundred


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of this machine's loopback."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.now(UTC), timedelta(days=1)
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    signed = built.add_extension(x509.SubjectAlternativeName(hosts), critical=False).sign(key, hashes.SHA256())
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


async def test_every_address_of_this_machine_is_tried(
    redis_server: RedisServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = socket.getaddrinfo

    def two(host: Any, *arguments: Any, **options: Any) -> list[Any]:
        hosts = ["127.0.0.2", "127.0.0.1"] if host == "localhost" else [host]  # Redis listens on the second alone
        return [each for one in hosts for each in plain(one, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    store = opened(on(redis_server.url.replace("127.0.0.1", "localhost")))
    await stored.put(store, "key", b"value", ttl=60)

    assert not store.degraded
    assert await in_redis(redis_server, "key") == [b"value"]


async def test_calls_at_once_over_tls_are_no_outage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    plain = ssl.create_default_context
    monkeypatch.setattr(
        ssl, "create_default_context", lambda *args, **kwargs: made.append(args) or plain(*args, **kwargs)
    )
    certificate, key = map(str, self_signed(tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate]
    with running_redis("--tls-port", str(port), *files, "--tls-auth-clients", "no"):
        for host in ("localhost", "127.0.0.1"):
            store = opened(open_store(f"rediss://{host}:{port}/0?ssl_ca_certs={certificate}", prefix=PREFIX))
            numbers = await asyncio.gather(*(stored.increment(store, host, ttl=600) for _ in range(32)))

            assert sorted(number or 0 for number in numbers) == list(range(1, 33))
            assert not store.degraded
    assert lines(caplog) == []
    assert len(made) == 2  # one for each store, not for each of its connections: it reads all certificates there are


HANGING_NAME = """
import asyncio, socket, sys, threading, time
from tiktok_pinned_videos.state.open import open_store
from tiktok_pinned_videos.state.steps import Read

def hang(host, *arguments, **options):
    if host == "nowhere.example":
        looking.set()
        time.sleep(600)
    return found(host, *arguments, **options)

async def main():
    stores = [open_store("redis://nowhere.example:6379/0") for _ in range(12)]
    asked = [asyncio.create_task(store.do(Read(("key",)))) for store in stores for _ in range(10)]
    await asyncio.to_thread(looking.wait)
    # The threads that look up every other name are free.
    await asyncio.gather(*(asyncio.get_running_loop().getaddrinfo("localhost", 80) for _ in range(20)))
    print("free", sum(task.done() for task in asked))
    await asyncio.gather(*asked)
    print("answered", all(store.degraded for store in stores))
    await asyncio.gather(*(store.aclose() for store in stores))

looking = threading.Event()
found, socket.getaddrinfo = socket.getaddrinfo, hang
asyncio.run(main())
"""


def test_a_name_that_hangs_blocks_no_other_name_and_not_the_end_of_the_process() -> None:
    pytest.importorskip("redis")
    command = [sys.executable, "-c", HANGING_NAME]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)

    assert done.stdout.splitlines() == ["free 0", "answered True"]


async def test_closing_in_an_outage_leaves_no_task(
    redis_server: RedisServer,
) -> None:
    before = asyncio.all_tasks()
    async with replica(redis_server) as store:
        await stored.increment(store, "ledger", ttl=60)
        redis_server.kill()
        await stored.put(store, "key", b"", ttl=60)
        await stored.increment(store, "ledger", ttl=60)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


class Unreliable(MemoryStore):
    """A store of a third kind whose driver throws what it likes."""

    failure: Exception | None = None

    async def run(self, *steps: Step[Any]) -> list[Any]:
        if self.failure:
            raise self.failure
        return await super().run(*steps)


async def test_when_to_try_again_depends_on_time_and_not_on_calls(caplog: pytest.LogCaptureFixture) -> None:
    due = asyncio.Event()
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await due.wait()

    primary = Unreliable()
    await stored.put(primary, "key", b"there", ttl=60)
    store = ResilientStore(primary, sleep=sleep)
    primary.failure = RuntimeError("hunter2")
    assert await stored.get(store, "key") is None
    primary.failure = None
    for _ in range(500):
        assert await stored.get(store, "key") is None
        await asyncio.sleep(0)
    due.set()
    await until(lambda: not store.degraded)

    assert await stored.get(store, "key") == b"there"
    assert max(waited) <= 2
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
    tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    file = tmp_path / "folder" / "state.db"
    file.parent.mkdir()
    spoil(file)
    store = opened(open_store(f"sqlite:///{file}"))
    for number in range(1, 4):
        assert await stored.increment(store, "ledger", ttl=60) == number
    assert await stored.add(store, "lock", b"", ttl=60) is True
    await stored.put(store, "value", b"kept", ttl=60)

    assert await stored.get(store, "value") == b"kept"
    assert store.degraded
    assert lines(caplog) == ["WARNING State store lost"]
    assert str(file) in caplog.text


async def test_a_file_locked_by_another_process_is_an_outage_that_ends_with_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.state.sqlite.LONGEST_WAIT", 0.3)
    file = tmp_path / "state.db"
    store = opened(ResilientStore(SQLiteStore(file), retry_after=0.6, may_forget=False))
    await stored.increment(store, "ledger", 5, ttl=600)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        numbers = await asyncio.gather(*(stored.increment(store, "ledger", ttl=600) for _ in range(20)))
        assert sorted(number or 0 for number in numbers) == list(range(6, 26))
        other.execute("ROLLBACK")
    await until(lambda: not store.degraded)

    assert await stored.get(store, "ledger") == b"25"
    assert lines(caplog) == ["WARNING State store lost", "INFO State store back"]


FULL_DISK = """
import asyncio, logging, resource, sys
from tiktok_pinned_videos.state.open import open_store
from tiktok_pinned_videos.state.steps import Increment, Read, Write

async def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    store = open_store("sqlite:///" + sys.argv[1])
    await store.do(Increment(("ledger",), 5, 600))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for i in range(20):
        await store.do(Write((f"key:{i}",), bytes(20_000), 600))
        assert await store.do(Read((f"key:{i}",))) in ([bytes(20_000)], [None])
    assert await store.do(Increment(("ledger",), 1, 600)) == 6
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
from tiktok_pinned_videos.state.steps import Increment, Read, Write

async def main():
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    store = open_store("sqlite:///" + sys.argv[1])
    await store.do(Write(("value",), b"new", 600))
    assert await store.do(Read(("value",))) == [b"new"]
    assert await store.do(Increment(("ledger",), 1, 600)) == 1
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
    await stored.put(store, "value", b"old", ttl=600)
    await store.aclose()
