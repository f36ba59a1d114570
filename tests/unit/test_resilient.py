"""Outages and losses of a Redis: no call fails, and no request too many is sent."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kit.programs import until
from kit.stores import Opened, RedisServer
from tiktok_pinned_videos.state.base import Counter, Entry, Store
from tiktok_pinned_videos.state.open import open_primary, open_store
from tiktok_pinned_videos.state.resilient import NAMESPACES

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(redis_server: RedisServer, opened: Opened) -> Store:
    return opened(open_store(redis_server.url, prefix="tpv:{0}:"))


async def count(store: Store, amount: int = 1, ceiling: int = 40) -> bool:
    return (await store.count([Counter("used", ceiling, 4e9)], amount)).granted


def degraded(store: Store) -> bool:
    return "degraded" in store.describe()


async def used(store: Store) -> int:
    return (await store.count([Counter("used", 40, 4e9)], 0)).totals[0]


async def test_a_redis_that_loses_its_data_twice_within_a_second_lets_no_request_too_many_through(
    redis_server: RedisServer, store: Store, opened: Opened
) -> None:
    other = opened(open_store(redis_server.url, prefix="tpv:{0}:"))
    granted = [await count(each) for each in (store, other) for _ in range(10)]
    await redis_server.command("FLUSHALL")
    counting = asyncio.create_task(count(store))
    await asyncio.sleep(0.5)
    await redis_server.command("FLUSHALL")
    granted += [await counting, *[await count(store) for _ in range(30)]]

    assert sum(granted) == 40
    assert await used(store) == 40


async def test_values_that_a_process_has_read_are_known_when_redis_dies(
    redis_server: RedisServer, store: Store, opened: Opened
) -> None:
    other = opened(open_store(redis_server.url, prefix="tpv:{0}:"))
    for _ in range(21):
        await count(other, ceiling=25)
    read = await used(store)
    redis_server.kill()
    granted = [await count(store, ceiling=25) for _ in range(10)]

    assert read == 21
    assert sum(granted) == 4


async def test_an_outage_is_logged_once_and_its_counts_are_merged(
    redis_server: RedisServer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await count(store)
    redis_server.kill()
    await store.put(Entry("a", b"1", 60))
    assert [await count(store), await store.get("a")] == [True, [b"1"]]
    assert degraded(store)
    redis_server.start()
    await until(lambda: not degraded(store))

    assert await used(store) == 2
    assert await store.get("a") == [None]
    redis_server.kill()
    assert await store.get("a") == [None]
    said = [line.split(":")[0] for line in caplog.messages]
    assert said == ["State store lost", "State store back", "State store lost"]


async def test_an_idle_process_restores_its_count_within_three_seconds(
    redis_server: RedisServer, store: Store, opened: Opened
) -> None:
    for _ in range(5):
        await count(store)
    await redis_server.command("FLUSHALL")
    fresh = opened(open_store(redis_server.url, prefix="tpv:{0}:"))
    async with asyncio.timeout(3):
        while await used(fresh) < 5:  # noqa: ASYNC110 - Redis has no event for it
            await asyncio.sleep(0.1)


async def test_a_process_that_has_sent_nothing_has_no_heartbeat(redis_server: RedisServer, store: Store) -> None:
    await used(store)
    before = await redis_server.command("INFO", "commandstats")
    await asyncio.sleep(1.3)
    after = await redis_server.command("INFO", "commandstats")

    assert before["cmdstat_eval"]["calls"] == after["cmdstat_eval"]["calls"]


async def test_a_reply_lost_after_redis_has_counted_counts_once(redis_server: RedisServer, opened: Opened) -> None:
    cut = False

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        while (part := await reader.read(65536)) and not (replies and cut):
            writer.write(part)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", redis_server.port)
        await asyncio.gather(pump(reader, ours, replies=False), pump(theirs, writer, replies=True))

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as proxy:
        url = f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/0"
        store = opened(open_store(url, prefix="tpv:{0}:"))
        first = await count(store)
        cut = True
        second = await count(store)
        cut = False
        await until(lambda: not degraded(store))

        assert [first, second, await used(store)] == [True, True, 2]
        await store.aclose()


async def test_a_prefix_in_use_is_listed_under_a_known_key_also_after_a_loss(
    redis_server: RedisServer, store: Store, opened: Opened
) -> None:
    plain = opened(open_primary(redis_server.url))

    async def listed() -> list[str]:
        return list((await plain.count([Counter(NAMESPACES, 0, 4e9)], 0)).entries[0])

    await count(store)
    await store.put(Entry("a", b"1", 60))
    before = await listed()
    await redis_server.command("FLUSHALL")
    await count(store)
    await store.put(Entry("a", b"1", 60))

    assert before == await listed() == ["tpv:{0}:"]
