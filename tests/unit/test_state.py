"""The contract of `StateStore`, on all three stores, and what is particular to each."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit import Clock, Opened, RedisServer, running, stored, until
from tiktok_pinned_videos.state import memory
from tiktok_pinned_videos.state.base import CounterLostError, StateStore, StateStoreError
from tiktok_pinned_videos.state.memory import MemoryStore
from tiktok_pinned_videos.state.open import check_url, open_store
from tiktok_pinned_videos.state.redis import RedisStore
from tiktok_pinned_videos.state.resilient import ResilientStore
from tiktok_pinned_videos.state.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio


@dataclass
class Medium:
    """A store, how to open another on the same medium, and how to let a short time pass on its clock."""

    open: Callable[[], StateStore]
    short: float
    outlast: Callable[[], Awaitable[None]]
    opened: list[StateStore] = field(default_factory=list)

    def another(self) -> StateStore:
        self.opened.append(self.open())
        return self.opened[-1]


@pytest.fixture(params=["memory", "sqlite", "redis", "resilient"])
async def medium(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Medium]:
    clock = Clock(1_800_000_000.0)

    async def advance() -> None:
        clock.now += 61

    async def wait() -> None:
        await asyncio.sleep(0.45)

    file = tmp_path / "state.db"
    match request.param:
        case "memory":
            only = MemoryStore(clock=clock)
            medium = Medium(lambda: only, 60, advance)
        case "sqlite":
            medium = Medium(lambda: SQLiteStore(file, clock=clock), 60, advance)
        case "resilient":
            medium = Medium(
                lambda: ResilientStore(SQLiteStore(file, clock=clock), prefix="tpv:x:", clock=clock),
                60,
                advance,
            )
        case _:
            server: RedisServer = request.getfixturevalue("shared_redis")
            medium = Medium(lambda: RedisStore(server.url), 0.4, wait)
    yield medium
    for store in medium.opened:
        await store.aclose()


@pytest.fixture
def store(medium: Medium) -> StateStore:
    return medium.another()


@pytest.fixture
def name() -> str:
    """A key that no other test uses."""
    return f"test:{random.randbytes(6).hex()}:"


@pytest.mark.parametrize("value", [b"", b"text", b"\x00\xff\r\n", b"12", bytes(200_000)])
async def test_what_is_set_is_read_back_byte_for_byte(store: StateStore, name: str, value: bytes) -> None:
    await stored.put(store, name, b"before", ttl=60)
    await stored.put(store, name, value, ttl=60)

    assert await stored.get(store, name) == value


async def test_what_was_never_written_is_absent(store: StateStore, name: str) -> None:
    assert await stored.get(store, name) is None
    assert await stored.delete(store, name) is False
    assert await stored.keys(store, name, limit=5) == []


async def test_an_expired_entry_is_absent_to_every_method(medium: Medium, store: StateStore, name: str) -> None:
    for suffix in ("get", "delete", "compare", "add", "count"):
        await stored.put(store, name + suffix, b"7", ttl=medium.short)
    await medium.outlast()

    assert await stored.keys(store, name, limit=9) == []
    assert await stored.get(store, name + "get") is None
    assert await stored.delete(store, name + "delete") is False
    assert await stored.delete(store, name + "compare", expected=b"7") is False
    assert await stored.add(store, name + "add", b"new", ttl=60) is True
    assert await stored.increment(store, name + "count", ttl=60) == 1
    assert await stored.get(store, name + "add") == b"new"
    assert await stored.get(store, name + "count") == b"1"


async def test_the_time_to_live_counts_from_the_last_set(medium: Medium, store: StateStore, name: str) -> None:
    await stored.put(store, name, b"old", ttl=medium.short)
    await stored.put(store, name, b"new", ttl=600)
    await medium.outlast()

    assert await stored.get(store, name) == b"new"


async def test_of_many_that_add_at_once_one_wins(store: StateStore, name: str) -> None:
    won = await asyncio.gather(*(stored.add(store, name, b"%d" % i, ttl=60) for i in range(40)))

    assert won.count(True) == 1
    assert await stored.get(store, name) == b"%d" % won.index(True)


async def test_a_lock_has_one_holder_among_stores_on_the_same_medium(
    medium: Medium, store: StateStore, name: str
) -> None:
    stores = [store, medium.another(), medium.another()]
    for turn in range(60):
        won = await asyncio.gather(*(stored.add(each, f"{name}{turn}", b"", ttl=60) for each in stores))

        assert won.count(True) == 1


async def test_an_entry_is_deleted_only_while_it_holds_what_is_expected(store: StateStore, name: str) -> None:
    await stored.put(store, name, b"mine", ttl=60)

    assert await stored.delete(store, name, expected=b"other") is False
    assert await stored.get(store, name) == b"mine"
    assert await stored.delete(store, name, expected=b"mine") is True
    assert await stored.delete(store, name, expected=b"mine") is False
    assert await stored.get(store, name) is None


async def test_an_empty_expectation_is_an_expectation(store: StateStore, name: str) -> None:
    await stored.put(store, name, b"mine", ttl=60)

    assert await stored.delete(store, name, expected=b"") is False


async def test_delete_removes_whatever_is_there(store: StateStore, name: str) -> None:
    await stored.add(store, name, b"", ttl=60)

    assert await stored.delete(store, name) is True
    assert await stored.delete(store, name) is False
    assert await stored.add(store, name, b"", ttl=60) is True


async def test_counting_at_once_gives_everyone_a_number_of_their_own(store: StateStore, name: str) -> None:
    numbers = await asyncio.gather(*(stored.increment(store, name, ttl=60) for _ in range(60)))

    assert sorted(number or 0 for number in numbers) == list(range(1, 61))
    assert await stored.get(store, name) == b"60"


async def test_a_ceiling_is_reached_and_never_passed(store: StateStore, name: str) -> None:
    numbers = await asyncio.gather(*(stored.increment(store, name, ttl=60, ceiling=25) for _ in range(40)))

    assert sorted(number for number in numbers if number) == list(range(1, 26))
    assert await stored.increment(store, name, ttl=60, ceiling=25) is None
    assert await stored.get(store, name) == b"25"
    assert await stored.increment(store, name, 5, ttl=60, ceiling=30) == 30


async def test_a_counter_that_a_ceiling_forbids_is_not_made(store: StateStore, name: str) -> None:
    assert await stored.increment(store, name, 3, ttl=60, ceiling=2) is None
    assert await stored.get(store, name) in (None, b"0")


async def test_counting_on_does_not_prolong_a_counter(medium: Medium, store: StateStore, name: str) -> None:
    await stored.increment(store, name, ttl=medium.short)
    await stored.increment(store, name, ttl=600)
    await medium.outlast()

    assert await stored.get(store, name) is None
    assert await stored.increment(store, name, ttl=60) == 1


async def test_a_counter_goes_on_from_digits_that_were_added(store: StateStore, name: str) -> None:
    await stored.add(store, name, b"57", ttl=60)

    assert await stored.increment(store, name, 2, ttl=60) == 59


async def test_a_counter_that_is_lower_than_it_was_known_to_be_is_not_counted_on(store: StateStore, name: str) -> None:
    await stored.increment(store, name, 5, ttl=60)
    if isinstance(store, ResilientStore):
        # It restores what it knows instead of failing a call.
        assert await stored.increment(store, name, ttl=60, least=5) == 6
        return
    assert await stored.increment(store, name, ttl=60, least=5) == 6
    with pytest.raises(CounterLostError):
        await stored.increment(store, name, ttl=60, least=7)

    assert await stored.get(store, name) in (
        b"6",
        b"7",
    )  # of no matter: it is raised to seven or more before it is used


async def test_a_counter_is_raised_and_never_lowered(store: StateStore, name: str) -> None:
    assert await stored.raise_to(store, name, 7, ttl=60) == 7
    assert await stored.raise_to(store, name, 3, ttl=60) == 7
    assert await stored.increment(store, name, ttl=60) == 8
    assert await stored.raise_to(store, name, 20, ttl=60) == 20
    assert 50 < await stored.remaining(store, name) <= 60


async def test_several_values_are_read_at_once_in_the_order_asked(store: StateStore, name: str) -> None:
    await stored.put(store, name + "a", b"1", ttl=60)
    await stored.put(store, name + "c", b"3", ttl=60)

    assert await stored.get_many(store, [name + "c", name + "b", name + "a"]) == [b"3", None, b"1"]


async def test_a_lock_is_renewed_by_its_holder_only(store: StateStore, name: str) -> None:
    await stored.add(store, name, b"me", ttl=20)

    assert await stored.renew(store, name, b"you", ttl=600) is False
    assert await stored.remaining(store, name) <= 20
    assert await stored.renew(store, name, b"me", ttl=600) is True
    assert await stored.remaining(store, name) > 500
    await stored.delete(store, name)
    assert await stored.renew(store, name, b"me", ttl=600) is False
    assert await stored.get(store, name) is None


async def test_what_is_held_for_long_is_not_shortened(store: StateStore, name: str) -> None:
    await stored.hold(store, name, ttl=600)
    await stored.hold(store, name, ttl=5)

    assert await stored.remaining(store, name) > 500
    await stored.hold(store, name, ttl=900)
    assert await stored.remaining(store, name) > 800


async def test_several_keys_are_deleted_at_once(store: StateStore, name: str) -> None:
    for suffix in "abc":
        await stored.put(store, name + suffix, b"x", ttl=60)

    assert await stored.delete(store, name + "a", name + "b", name + "d") is True
    assert await stored.get_many(store, [name + "a", name + "b", name + "c"]) == [None, None, b"x"]
    assert await stored.delete(store, name + "a", name + "b") is False


async def test_keys_are_found_by_a_prefix_taken_literally(store: StateStore, name: str) -> None:
    for suffix in ("a*[x]?\\1", "a*[x]?\\2", "aab", "b"):
        await stored.put(store, name + suffix, b"", ttl=60)

    assert sorted(await stored.keys(store, name + "a*[x]?\\", limit=9)) == [name + "a*[x]?\\1", name + "a*[x]?\\2"]
    assert len(await stored.keys(store, name, limit=9)) == 4
    assert len(await stored.keys(store, name, limit=3)) == 3
    assert await stored.keys(store, name, limit=0) == []


async def test_another_store_on_the_same_medium_sees_the_same(medium: Medium, store: StateStore, name: str) -> None:
    other = medium.another()
    await stored.put(store, name + "value", b"seen", ttl=60)
    await stored.increment(store, name + "count", 2, ttl=60)

    assert await stored.get(other, name + "value") == b"seen"
    assert await stored.increment(other, name + "count", 3, ttl=60) == 5
    assert await stored.delete(other, name + "value") is True
    assert await stored.get(store, name + "value") is None
    assert await stored.get(store, name + "count") == b"5"


async def test_a_store_knows_how_long_an_entry_has_left(store: StateStore, name: str) -> None:
    await stored.put(store, name, b"", ttl=60)

    assert 50 < await stored.remaining(store, name) <= 60
    assert await stored.remaining(store, name + "absent") == 0


async def test_a_working_store_answers_a_ping_and_leaves_no_secret_in_its_description(store: StateStore) -> None:
    await store.ping()

    assert "memory" in store.describe() or "state.db" in store.describe() or "redis at 127.0.0.1:" in store.describe()


async def test_any_sequence_of_steps_has_the_same_results_as_in_memory(store: StateStore, name: str) -> None:
    model = MemoryStore()
    chance = random.Random(7)
    for step in range(300):
        key, value, amount = name + chance.choice("abc"), b"%d" % chance.randrange(4), chance.randrange(1, 3)
        match chance.randrange(6):
            case 0:
                results = [await stored.get(each, key) for each in (model, store)]
            case 1:
                results = [await stored.put(each, key, value, ttl=600) for each in (model, store)]
            case 2:
                results = [await stored.add(each, key, value, ttl=600) for each in (model, store)]
            case 3:
                expected = value if chance.random() < 0.7 else None
                results = [await stored.delete(each, key, expected=expected) for each in (model, store)]
            case 4:
                count = f"{key}count"  # nothing else is done to a counter
                results = [await stored.increment(each, count, amount, ttl=600, ceiling=4) for each in (model, store)]
            case _:
                results = [sorted(await stored.keys(each, name, limit=9)) for each in (model, store)]
        assert results[0] == results[1], f"step {step}"


async def test_a_cancelled_caller_leaves_the_store_in_order(store: StateStore, name: str) -> None:
    for turn in range(30):
        tasks = [asyncio.create_task(stored.put(store, f"{name}{i}", b"%d" % i, ttl=60)) for i in range(20)]
        await asyncio.sleep(0.0002 * (turn % 5))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for i in range(20):
        await stored.put(store, f"{name}{i}", b"%d" % i, ttl=60)

    values = await asyncio.gather(*(stored.get(store, f"{name}{i}") for i in range(20)))
    assert values == [b"%d" % i for i in range(20)]


# Memory


async def test_memory_drops_the_expired_then_the_soonest_but_no_lock_and_no_counter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MAX_ENTRIES", 100)
    clock = Clock(1_800_000_000.0)
    store = MemoryStore(clock=clock)
    for i in range(20):
        await stored.put(store, f"expired:{i}", b"", ttl=1)
    clock.now += 2
    await stored.add(store, "lock", b"", ttl=3)
    await stored.increment(store, "count", ttl=3)
    for i in range(98):
        await stored.put(store, f"value:{i:02}", b"", ttl=100 + i)
    assert len(await stored.keys(store, "", limit=200)) == 100  # the expired had to go, and nothing else

    await stored.put(store, "value:98", b"", ttl=300)

    kept = sorted(await stored.keys(store, "", limit=200))
    assert kept == ["count", "lock", *(f"value:{i:02}" for i in range(11, 99))]


async def test_memory_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_BYTES", 1_000_000)
    store = MemoryStore()
    for i in range(100):
        await stored.put(store, f"{i:03}", bytes(30_000), ttl=600 + i)

    kept = sorted(await stored.keys(store, "", limit=200))
    assert 20 <= len(kept) <= 33
    assert kept[-1] == "099"


# SQLite

COUNT_TO_100 = """
import asyncio, sys
from tiktok_pinned_videos.state.sqlite import SQLiteStore
from tiktok_pinned_videos.state.steps import Increment

async def main():
    store = SQLiteStore(sys.argv[1])
    sys.stdin.readline()
    for _ in range(100):
        print(await store.do(Increment(("ledger",), 1, 600)))
    await store.aclose()

asyncio.run(main())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "state.db"


async def test_two_processes_that_count_on_one_file_lose_nothing(file: Path, opened: Opened) -> None:
    command = [sys.executable, "-c", COUNT_TO_100, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with ExitStack() as stack:
        processes = [stack.enter_context(running(command, **pipes)) for _ in range(2)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0].split() for process in processes]

    assert sorted(int(number) for output in outputs for number in output) == list(range(1, 201))
    store = opened(SQLiteStore(file))
    assert await stored.get(store, "ledger") == b"200"
    await store.aclose()


async def test_stores_that_make_the_same_file_at_once_all_work(tmp_path: Path, opened: Opened) -> None:
    for turn in range(30):
        stores = [opened(SQLiteStore(tmp_path / f"{turn}.db")) for _ in range(4)]
        numbers = await asyncio.gather(*(stored.increment(store, "ledger", ttl=60) for store in stores))
        for store in stores:
            await store.aclose()

        assert sorted(number or 0 for number in numbers) == [1, 2, 3, 4]


async def test_a_file_keeps_its_entries_over_a_restart(file: Path, opened: Opened) -> None:
    first = opened(SQLiteStore(file))
    await stored.put(first, "value", b"kept", ttl=600)
    await stored.increment(first, "count", 41, ttl=600)
    await first.aclose()
    second = opened(SQLiteStore(file))

    assert await stored.get(second, "value") == b"kept"
    assert await stored.increment(second, "count", ttl=600) == 42
    await second.aclose()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
async def test_a_file_and_its_folders_are_their_owners_alone(file: Path, opened: Opened) -> None:
    store = opened(SQLiteStore(file))
    await stored.put(store, "key", b"", ttl=600)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [*file.parent.iterdir(), *file.parents[:2]]}
    assert modes.pop("state.db") == 0o600
    assert modes.pop("folder") == modes.pop("new") == 0o700
    assert set(modes.values()) <= {0o600}
    await store.aclose()


async def test_what_has_expired_is_in_no_file_a_minute_later(
    file: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.state.sqlite._PURGE_EVERY", 0.05)
    clock = Clock(1_800_000_000.0)
    store = opened(SQLiteStore(file, clock=clock))
    for i in range(200):
        await stored.put(store, f"old:{i}", b"content that may be kept no longer" * 20, ttl=60)
    clock.now += 61
    # Nobody calls.
    await until(lambda: b"no longer" not in b"".join(path.read_bytes() for path in file.parent.iterdir()))

    assert await stored.keys(store, "", limit=9) == []
    await store.aclose()


async def test_what_is_deleted_is_overwritten_where_sqlite_itself_would_leave_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    connect = sqlite3.connect

    def forgetful(*arguments: Any, **options: Any) -> sqlite3.Connection:
        # Builds differ in what they do unless told. This one leaves deleted content in the file.
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", forgetful)
    store = opened(SQLiteStore(file))
    await stored.put(store, "other", b"", ttl=60)
    await stored.put(store, "key", b"content that may be kept no longer" * 20, ttl=60)
    await stored.delete(store, "key")
    await store.aclose()

    assert b"no longer" not in b"".join(path.read_bytes() for path in file.parent.iterdir())


async def test_the_count_of_an_older_version_survives_the_update(file: Path, opened: Opened) -> None:
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL)")
        connection.execute("CREATE INDEX entries_by_expiry ON entries (expires_at)")
        connection.execute("PRAGMA application_id = 0x54545056")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO entries VALUES ('used', x'3432', 9e9)")
        connection.commit()
    store = opened(SQLiteStore(file))

    assert await stored.increment(store, "used", ttl=60) == 43
    await store.aclose()


async def test_a_file_is_touched_only_on_first_use(file: Path, opened: Opened) -> None:
    store = opened(SQLiteStore(file))
    await store.aclose()

    assert not file.parent.exists()


async def test_a_relative_path_means_the_folder_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.chdir(tmp_path)
    store = opened(SQLiteStore("state.db"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await stored.put(store, "key", b"", ttl=60)
    await store.aclose()

    assert (tmp_path / "state.db").exists()


def _garbage(file: Path) -> None:
    file.write_bytes(b"this is not a database, whatever its name says" * 100)


def _of_another_program(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE entries (something TEXT)")


def _of_a_later_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA application_id = 0x54545056")
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_garbage, "file is not a database"),
        (Path.mkdir, "unable to open database file"),
        (_of_another_program, "belongs to another program"),
        (_of_a_later_version, r"a newer version of this program \(schema 99\)"),
    ],
)
async def test_a_file_that_is_not_ours_is_an_error_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str, opened: Opened
) -> None:
    file = tmp_path / "state.db"
    spoil(file)
    before = file.read_bytes() if file.is_file() else b""
    store = opened(SQLiteStore(file))

    with pytest.raises(StateStoreError, match=reason):
        await stored.get(store, "key")
    await store.aclose()
    assert (file.read_bytes() if file.is_file() else b"") == before


async def test_a_store_works_again_when_its_file_is_mended(tmp_path: Path, opened: Opened) -> None:
    file = tmp_path / "state.db"
    _garbage(file)
    store = opened(SQLiteStore(file))
    with pytest.raises(StateStoreError):
        await stored.put(store, "key", b"value", ttl=60)
    file.unlink()
    await stored.put(store, "key", b"value", ttl=60)

    assert await stored.get(store, "key") == b"value"
    await store.aclose()


async def test_waiting_for_another_process_ends_and_does_not_add_up(
    file: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.state.sqlite.LONGEST_WAIT", 1.0)
    store = opened(SQLiteStore(file))
    await stored.put(store, "key", b"value", ttl=60)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        first = asyncio.create_task(stored.increment(store, "c", ttl=60))
        others = [asyncio.create_task(stored.increment(store, "c", ttl=60)) for _ in range(10)]
        await asyncio.wait([first])
        await asyncio.sleep(0.1)

        # They had waited behind it, and do not each begin to wait for themselves.
        assert [type(task.exception()) for task in (first, *others)] == [StateStoreError] * 11
        other.execute("ROLLBACK")
    assert await stored.increment(store, "c", ttl=60) == 1
    await store.aclose()


# Redis


async def test_every_key_in_redis_expires(shared_redis: RedisServer, name: str, opened: Opened) -> None:
    store = opened(RedisStore(shared_redis.url))
    await stored.put(store, name + "set", b"", ttl=60)
    await stored.add(store, name + "add", b"", ttl=60)
    await stored.increment(store, name + "count", ttl=60)
    await stored.increment(store, name + "count", ttl=60)
    await store.ping()
    await store.aclose()

    from redis.asyncio import Redis

    async with Redis.from_url(shared_redis.url) as client:
        lifetimes = [await client.pttl(key) for key in await client.keys("*")]
    assert len(lifetimes) >= 3
    assert min(lifetimes) > 0


async def test_a_hundred_at_once_share_few_connections(shared_redis: RedisServer, name: str, opened: Opened) -> None:
    store = opened(RedisStore(shared_redis.url))
    await asyncio.gather(*(stored.increment(store, name, ttl=60) for _ in range(100)))
    from redis.asyncio import Redis

    async with Redis.from_url(shared_redis.url) as client:
        connections = len(await client.client_list())
    assert connections <= 16 + 1
    assert await stored.get(store, name) == b"100"
    await store.aclose()


async def test_a_password_is_used_and_told_to_nobody(shared_redis: RedisServer, opened: Opened) -> None:
    store = opened(RedisStore(shared_redis.url.replace("127", "someone:S3cr%2Ft-word@127")))
    with pytest.raises(StateStoreError) as failure:
        await stored.get(store, "key")
    await store.aclose()

    told = f"{failure.value} {store.describe()} {store!r}"
    assert "S3cr" not in told
    assert "someone" not in told
    assert "password" in str(failure.value)


def test_without_its_library_a_redis_store_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(StateStoreError, match=r'pip install "\.\[redis\]"'):
        open_store("redis://127.0.0.1/0")


# Choosing a store


@pytest.mark.parametrize(
    ("url", "described"),
    [
        ("memory:", "memory of this process"),
        ("sqlite:///state.db", f"SQLite file {Path.cwd() / 'state.db'}"),
        ("sqlite:////tmp/state.db", f"SQLite file {Path('/tmp/state.db')}"),
        ("redis://cache.example/3", "redis at cache.example:6379"),
        ("rediss://user:word@cache.example:7000/3?ssl_cert_reqs=none", "rediss at cache.example:7000"),
        ("redis://[::1]:7000", "redis at ::1:7000"),
    ],
)
async def test_a_url_opens_the_store_it_names(url: str, described: str) -> None:
    check_url(url)
    store = open_store(url)

    assert store.describe().startswith(described)
    assert store.degraded is False
    await store.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory:///x",
        "postgres://host/db",
        "sqlite:",
        "sqlite:state.db",
        "sqlite://state.db",
        "sqlite:///",
        "sqlite:///folder/",
        "sqlite:///:memory:",
        "redis:",
        "redis:host",
        "redis:///0",
        "redis://:hunter2@/0",
        "redis://user:hunter2/x@host/0",
        "redis://user:hunter2@host:port/0",
        "redis://host:99999/0",
        "redis://host/db",
        "redis://host/0?socket_timeout=60",
        "redis://host/0?db=x",
        "redis://[::1/0",
    ],
)
def test_a_url_that_names_no_store_is_refused_in_one_line_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as refusal:
        check_url(url)
    with pytest.raises(ValueError, match=r"\S"):
        open_store(url)

    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_what_is_not_chosen_is_not_imported() -> None:
    code = """
import json, sys
from tiktok_pinned_videos.state.open import check_url, open_store
for url in ("memory:", "sqlite:///x.db", "redis://host/0"):
    check_url(url)
open_store("memory:")
after_memory = [name for name in ("sqlite3", "redis", "asyncio") if name in sys.modules]
open_store("sqlite:///x.db")
print(json.dumps([after_memory, [name for name in ("sqlite3", "redis") if name in sys.modules]]))
"""
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30).stdout

    assert json.loads(output) == [[], ["sqlite3"]]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    # Threads end by themselves after aclose; a stuck one would hang the exit of the program.
    import threading

    for thread in threading.enumerate():
        if thread.name.startswith("state"):
            thread.join(3)
            assert not thread.is_alive()
