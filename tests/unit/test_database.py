"""The SQLite file: its permissions, what is left in it, and how it is repaired."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kit.stores import Opened
from kit.virtual import VIRTUAL_TIME, Clock, now, wall_clock
from tiktok_pinned_videos.state.base import Counter, Entry, StateStoreError
from tiktok_pinned_videos.state.open import open_store
from tiktok_pinned_videos.state.sql import SQLStore

pytestmark = pytest.mark.anyio
WORDS = b"a caption that must not stay"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.sqlite3"


def content(path: Path) -> bytes:
    """Everything on disk: the file, its journal and what was moved aside."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


async def test_the_file_is_created_on_first_use_for_its_owner_only(path: Path, opened: Opened) -> None:
    store = opened(SQLStore(path))
    before = path.exists()
    await store.put(Entry("a", b"1", 60))

    assert not before
    if sys.platform != "win32":
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_deleted_values_are_in_no_file_while_two_processes_have_it_open(path: Path, opened: Opened) -> None:
    one, other = opened(SQLStore(path)), opened(SQLStore(path))
    await one.put(Entry("a", WORDS, 60), Entry("b", WORDS, 60))
    await other.get("a")
    before = WORDS in content(path)
    await other.put(delete=("a", "b"))

    assert before
    assert WORDS not in content(path)


@VIRTUAL_TIME
async def test_expired_values_are_in_no_file_a_minute_later(path: Path, opened: Opened) -> None:
    store = opened(SQLStore(path, clock=wall_clock()))
    await store.put(Entry("a", WORDS, 10))
    await asyncio.sleep(70)

    assert WORDS not in content(path)


async def test_expired_values_are_in_no_file_after_the_next_opening(path: Path, clock: Clock, opened: Opened) -> None:
    store = SQLStore(path, clock=clock)
    await store.put(Entry("a", WORDS, 10))
    await store.aclose()
    clock.now += 11
    await opened(SQLStore(path, clock=clock)).get("b")

    assert WORDS not in content(path)


async def test_data_of_an_older_layout_is_deleted(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB)")
        old.execute("INSERT INTO entries VALUES ('a', ?)", (WORDS,))
        old.execute(f"PRAGMA application_id = {0x54545056}")
        old.execute("PRAGMA user_version = 2")
    store = opened(SQLStore(path))

    assert await store.get("a") == [None]
    assert WORDS not in content(path)


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    shutil.rmtree(path.parent)


def truncate(path: Path) -> None:
    os.truncate(path, 4096)


def overwrite(path: Path) -> None:
    path.write_bytes(b"no database " * 2000)


def restore(path: Path) -> None:
    shutil.copyfile(path.with_name("backup"), path)


@pytest.mark.parametrize("trouble", [delete, delete_all, truncate, overwrite, restore])
async def test_the_count_survives_losses_of_the_file_under_running_processes(
    path: Path, opened: Opened, trouble: Callable[[Path], None]
) -> None:
    if sys.platform == "win32" and trouble is not restore:
        return  # there an open file cannot be deleted
    one, other = (opened(open_store(f"sqlite:///{path}", prefix="tpv:{0}:")) for _ in range(2))

    async def count(store: object, amount: int) -> int:
        counters = [Counter("used", 20, 4e9)]
        return (await store.count(counters, amount)).totals[0]  # type: ignore[attr-defined]

    await count(one, 1)
    shutil.copyfile(path, path.with_name("backup"))
    for store in (one, other) * 3:
        await count(store, 1)
    await other.put(Entry("big", WORDS * 400, 60))
    trouble(path)
    counted = [await count(one, 1), await count(other, 1), await count(one, 0)]
    fresh = opened(open_store(f"sqlite:///{path}", prefix="tpv:{0}:"))

    assert counted == [8, 9, 9]
    assert await count(fresh, 0) == 9


async def test_a_damaged_file_is_moved_aside_until_something_is_deleted(path: Path, opened: Opened) -> None:
    store = opened(SQLStore(path))
    damaged = path.with_name(path.name + ".damaged")
    await store.put(Entry("a", WORDS, 60), delete=("b",))
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"x" * 16_000)
    os.utime(path, (0, 0))
    moved = [await store.get("a"), damaged.stat().st_mtime > 0]  # the time of the move, from which it is kept for a day
    await store.put(delete=("a",))

    assert moved == [[None], True]
    assert not damaged.exists()


async def test_a_file_of_another_program_is_refused_and_left_as_it_is(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE letters (words TEXT)")
    before = path.read_bytes()
    with pytest.raises(StateStoreError, match="belongs to another program"):
        await opened(SQLStore(path)).get("a")

    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_moved_aside_and_never_deleted(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    path.write_bytes(b"Dear reader, this is a letter. " * 200)
    store = opened(SQLStore(path))
    await store.put(Entry("a", b"1", 60))
    await store.put(delete=("a",))
    (aside,) = path.parent.glob("*.unreadable-*")

    assert aside.read_bytes().startswith(b"Dear reader")


@VIRTUAL_TIME
async def test_calls_that_wait_for_a_locked_file_continue_in_memory_together(path: Path, opened: Opened) -> None:
    store = opened(open_store(f"sqlite:///{path}"))
    await store.get("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = now()
        await asyncio.gather(*(store.put(Entry(f"{number}", b"1", 9)) for number in range(5)))

        assert 1 < now() - started < 3
        assert await store.get("4") == [b"1"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="every file is open to this user")
async def test_a_state_file_without_permissions_is_made_usable(path: Path, opened: Opened) -> None:
    store = SQLStore(path)
    await store.put(Entry("a", b"1", 60))
    await store.aclose()
    for file in path.parent.iterdir():
        file.chmod(0)

    assert await opened(SQLStore(path)).get("a") == [b"1"]
