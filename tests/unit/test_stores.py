"""The six operations of a store mean the same in memory, in a file and in Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.stores import Opened
from tiktok_pinned_videos.state.base import Counter, Entry, Store
from tiktok_pinned_videos.state.open import open_primary

pytestmark = pytest.mark.anyio
Another = Callable[[], Store]


@pytest.fixture(params=["memory", "file", "redis"])
def another(request: pytest.FixtureRequest, tmp_path: Path, opened: Opened) -> Another:
    """Opens a store on the same data; in memory always the same store."""
    if request.param == "memory":
        store = opened(open_primary("memory:"))
        return lambda: store
    url = f"sqlite:///{tmp_path}/state.sqlite3" if request.param == "file" else request.getfixturevalue("redis_url")
    return lambda: opened(open_primary(url))


@pytest.fixture
def store(another: Another) -> Store:
    return another()


def counter(key: str = "used", ceiling: int = 10, **known: int) -> Counter:
    return Counter(key, ceiling, time.time() + 60, "me" if known else "", known)


async def test_values_are_read_in_the_order_asked_and_by_every_process(store: Store, another: Another) -> None:
    await store.put(Entry("a", b"\x00\xff", 60), Entry("b", b"", 60))

    assert await another().get("b", "absent", "a") == [b"", None, b"\x00\xff"]


async def test_an_expired_value_is_absent_for_every_operation(store: Store) -> None:
    await store.put(Entry("short", b"1", 0.05), Entry("long", b"1", 60))
    await asyncio.sleep(0.1)

    assert await store.get("short", "long") == [None, b"1"]
    assert await store.find("short", 9) == []
    assert await store.add(Entry("short", b"2", 60))


async def test_a_put_deletes_before_it_stores(store: Store) -> None:
    await store.put(Entry("a", b"old", 60), Entry("b", b"old", 60))
    await store.put(Entry("a", b"new", 60), delete=("a", "b", "absent"))

    assert await store.get("a", "b") == [b"new", None]


async def test_of_many_that_add_at_once_one_succeeds_and_only_it_can_release(store: Store, another: Another) -> None:
    stores = [store, another(), another()]
    added = await asyncio.gather(*(stores[n % 3].add(Entry("lease", b"%d" % n, 60)) for n in range(12)))
    (winner,) = (n for n, success in enumerate(added) if success)
    await store.release("lease", b"someone else")
    held = await store.get("lease")
    await store.release("lease", b"%d" % winner)

    assert held == [b"%d" % winner]
    assert await store.get("lease") == [None]


async def test_keys_are_found_by_a_prefix_taken_literally(store: Store) -> None:
    await store.put(*(Entry(key, b"1", 60) for key in ("s:a*b", "s:a?b", "s:ab", "s:[a]", "t:a")))

    assert sorted(await store.find("s:a", 9)) == ["s:a*b", "s:a?b", "s:ab"]
    assert await store.find("s:a*", 9) == ["s:a*b"]
    assert await store.find("s:[", 9) == ["s:[a]"]
    assert len(await store.find("", 2)) == 2


async def test_counting_at_once_reaches_the_ceiling_and_never_passes_it(store: Store, another: Another) -> None:
    stores = [store, another()]
    counts = await asyncio.gather(*(stores[n % 2].count([counter(ceiling=15)]) for n in range(20)))

    assert sum(one.granted for one in counts) == 15
    assert (await store.count([counter()], 0)).totals == [15]


async def test_several_counters_are_counted_together_or_not_at_all(store: Store) -> None:
    await store.count([counter("share", ceiling=1)])
    refused = await store.count([counter("day"), counter("share", ceiling=1)])

    assert not refused.granted
    assert refused.totals == [0, 1]
    assert (await store.count([counter("day"), counter("other", ceiling=1)])).totals == [1, 1]


async def test_known_counts_are_merged_by_the_higher_value_and_a_loss_is_reported_once(store: Store) -> None:
    first = await store.count([counter(me=3, other=4)])
    again = await store.count([counter(me=3, other=2)])

    assert (first.granted, first.lost, first.totals) == (False, True, [7])
    assert (again.granted, again.lost, again.entries) == (True, False, ({"me": 4, "other": 4},))
