"""Servers in processes of their own that share a Redis: one quota, one token, one request per account."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.calls import KEY, SECRET, ask, status
from kit.processes import COMMAND, environment
from kit.stores import RedisServer
from kit.tiktok import MANY, TikTok, tiktok

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def servers(upstream: TikTok, count: int, state: str, log: Path, **env: str) -> AsyncGenerator[list[Client]]:
    """Clients of so many servers; what the servers log goes to one file."""
    env = environment(
        TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET, TIKTOK_API_BASE_URL=upstream.url, TIKTOK_STATE=state, **env
    )
    parameters = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=env)
    async with contextlib.AsyncExitStack() as stack:
        errors = stack.enter_context(log.open("w", encoding="utf-8"))
        yield [
            await stack.enter_async_context(Client(stdio_client(parameters, errlog=errors), mode="legacy"))
            for _ in range(count)
        ]


async def statuses(clients: list[Client], names: list[str]) -> list[str]:
    """The status of each account, asked of every client."""
    results = await asyncio.gather(*(ask(client, name) for name in names for client in clients))
    return [status(result) for result in results]


@pytest.mark.slow
async def test_servers_on_one_redis_share_answers_token_and_quota_and_survive_its_end(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with (
        tiktok(latency=0.02) as upstream,
        servers(upstream, 2, redis_server.url, log, TIKTOK_DAILY_QUOTA="12") as (one, other),
    ):
        shared = await statuses([one, other], MANY[:10])
        sent, tokens = sorted(upstream.names), len(upstream.wire.token_requests)
        redis_server.kill()
        alone = await statuses([one], MANY[10:14])
        again = await statuses([one], MANY[10:14])

        assert shared == ["found"] * 20
        assert sent == sorted(MANY[:10])
        assert tokens == 1
        assert sorted(alone) == ["found", "found", "quota_exceeded", "quota_exceeded"]
        assert again == alone
        assert len(upstream.asked) == 12
    lines = log.read_text(encoding="utf-8")

    assert 1 <= lines.count("State store lost") <= 2
    assert "Traceback" not in lines
