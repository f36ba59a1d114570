"""Three replicas on one real Redis: what one knows all know, and losing one costs nobody else an answer."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from mcp.client import Client

from kit.processes import HTTPServer, http_client, http_server
from kit.programs import until
from kit.redis_server import RedisServer
from kit.upstream import EXAMPLE_VIDEOS, Reply, Upstream, serving, videos

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


@contextlib.contextmanager
def replicas(count: int, redis: RedisServer, upstream: Upstream, quota: int = 1000) -> Iterator[list[HTTPServer]]:
    env = {
        "TIKTOK_CLIENT_KEY": "awkey123",
        "TIKTOK_CLIENT_SECRET": "hunter2-hunter2",
        "TIKTOK_API_BASE_URL": upstream.url,
        "TIKTOK_STATE": redis.url,
        "TIKTOK_DAILY_QUOTA": str(quota),
    }
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(http_server(env=env, sandbox=False)) for _ in range(count)]


async def ask(client: Client, username: str, **more: Any) -> dict[str, Any]:
    result = await client.call_tool("get_pinned_videos", {"username": username, **more})
    assert not result.is_error, result
    assert result.structured_content is not None
    return result.structured_content


def slowly(upstream: Upstream) -> None:
    """Answers take a moment, so that calls meet."""
    upstream.answer(Reply(body=videos(EXAMPLE_VIDEOS).body, delay=0.05))


async def test_an_answer_a_token_and_the_ledger_are_everybodys(
    redis_server: RedisServer,
) -> None:
    async with serving() as upstream:
        slowly(upstream)
        upstream.token_delay = 0.2
        with replicas(3, redis_server, upstream) as servers:
            async with contextlib.AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(http_client(server.url)) for server in servers]
                # At once, everywhere: the same account, and one more each.
                answers = await asyncio.gather(
                    *(ask(client, "nasa") for client in clients),
                    *(ask(client, f"own_{number}") for number, client in enumerate(clients)),
                )
                later = [await ask(client, "NASA") for client in clients]
                status = await clients[2].read_resource("tiktok://status")

        assert len(upstream.token_requests) == 1
        assert Counter(request.json["username"] for request in upstream.research) == {
            "nasa": 1, "own_0": 1, "own_1": 1, "own_2": 1
        }  # fmt: skip
    assert [answer["status"] for answer in answers] == ["found"] * 6
    assert [answer["cached"] for answer in later] == [True] * 3
    assert '"used_today":4' in status.model_dump_json().replace("\\", "").replace(" ", "")


async def test_a_replica_that_is_killed_costs_the_others_nothing(
    redis_server: RedisServer,
) -> None:
    answered: Counter[int] = Counter()
    killed, enough = asyncio.Event(), asyncio.Event()
    after: Counter[int] = Counter()

    async def load(replica: int, url: str, worker: int) -> None:
        number = 0
        async with http_client(url, mode="auto" if worker % 2 else "legacy") as client:
            while not enough.is_set():
                # Half of the names are asked of every replica: they meet in leases and in the cache.
                name = f"shared_{number // 2}" if number % 2 else f"own_{replica}_{worker}_{number}"
                told = await ask(client, name)
                assert told["username"].startswith(("shared", f"own_{replica}"))
                number += 1
                answered[replica] += 1
                after[replica] += killed.is_set()
                await asyncio.sleep(0.05)

    async with serving() as upstream:
        slowly(upstream)
        with replicas(3, redis_server, upstream) as servers:
            loads = [
                asyncio.create_task(load(replica, server.url, worker))
                for replica, server in enumerate(servers)
                for worker in range(2)
            ]
            await until(lambda: answered[0] >= 5)
            servers[0].process.kill()
            killed.set()
            await until(lambda: min(after[1], after[2]) >= 10)
            enough.set()
            outcomes = await asyncio.gather(*loads, return_exceptions=True)

        requested = Counter(request.json["username"] for request in upstream.research)
        assert len(upstream.token_requests) == 1

    assert [outcome for outcome in outcomes[2:] if outcome is not None] == []
    assert all(isinstance(outcome, BaseException) for outcome in outcomes[:2])
    # A lease whose holder was killed is asked for again by another; nothing else is asked for twice.
    assert sum(requested.values()) - len(requested) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="redis-server does not run there")
async def test_without_redis_each_replica_goes_on_alone_and_with_it_together_again(
    redis_server: RedisServer,
) -> None:
    async with serving() as upstream:
        with replicas(2, redis_server, upstream) as servers:
            async with contextlib.AsyncExitStack() as stack:
                first, second = [await stack.enter_async_context(http_client(server.url)) for server in servers]
                await ask(first, "before")
                await ask(second, "before")
                redis_server.kill()
                alone = [await ask(client, f"meanwhile_{number}") for number, client in enumerate((first, second))]
                redis_server.start()
                await until(lambda: all(any("State store back" in line for line in s.lines) for s in servers))
                told = await ask(first, "afterwards")
                shared = await ask(second, "afterwards")
        spent = len(upstream.research)

    assert [answer["status"] for answer in alone] == ["found"] * 2
    assert (told["cached"], shared["cached"]) == (False, True)
    assert spent <= 5
    for server in servers:
        assert [line.split()[1] for line in server.lines if "State store" in line] == ["WARNING", "INFO"]


async def test_the_daily_quota_is_one_for_all(redis_server: RedisServer) -> None:
    async with serving() as upstream:
        with replicas(3, redis_server, upstream, quota=120) as servers:

            async def spend(replica: int, url: str) -> Counter[str]:
                names = [f"account_{replica}_{number}" for number in range(50)]
                async with http_client(url) as client:
                    result = await client.call_tool("compare_pinned_videos", {"usernames": names})
                told: Any = result.structured_content
                return Counter(account["status"] for account in told["accounts"])

            spent = await asyncio.gather(*(spend(number, server.url) for number, server in enumerate(servers)))
        asked = len(upstream.research)

    assert asked == 120
    assert sum(spent, Counter[str]()) == {"found": 120, "quota_exceeded": 30}
