"""Twenty thousand calls over HTTP to an upstream of which three in ten answers are broken: none is lost or mixed up."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any

import httpx
import pytest

from kit import HTTPServer, Received, Reply, Upstream, html, http_server, need_module, refusal, serving, videos
from tiktok_pinned_videos.research.errors import Status

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

psutil = need_module("psutil")

CALLS = 20_000
AT_ONCE = 64
ACCOUNTS = 1000
SHARE = 0.3
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
}
MODERN = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "get_pinned_videos"}
FAULTS = [
    refusal(500, "internal_error", "Something is wrong."),
    html(504),
    Reply(reset=True),
    Reply(body=b'{"data": {"pinned_videos_list": [', send_only=9),
    refusal(200, "internal_error", "Something is wrong."),
    refusal(400, "invalid_params", "user not found"),
]


def views(username: str) -> int:
    return 1000 + int(username.rpartition("_")[2])


def answering(upstream: Upstream) -> None:
    """The truth or a fault; what was received is forgotten, to keep the tests' memory out of this."""
    chance = random.Random(11)

    def tell(request: Received) -> Reply:
        upstream.received.clear()
        if chance.random() < SHARE:
            return chance.choice(FAULTS)
        count = views(request.json["username"])
        return videos([{"id": 7_000_000_000_000_000_000 + count, "view_count": count}])

    upstream.answer_by(tell)


async def ask(http: httpx.AsyncClient, url: str, number: int, *, modern: bool) -> str:
    """The status of one call, after looking whether it is the answer to this one and true."""
    # Two at a time want the same account, and may share a request. All of them come again when they are forgotten.
    username = f"account_{number // 2 % ACCOUNTS}"
    params: dict[str, Any] = {"name": "get_pinned_videos", "arguments": {"username": username}}
    if modern:
        params["_meta"] = META
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    response = await http.post(url, json=body, headers=ACCEPT | (MODERN if modern else {}))
    assert response.status_code == 200, response.text
    lines = response.text.splitlines()
    streamed = [line.removeprefix("data:") for line in lines if line.startswith("data:")]
    [message] = [json.loads(line) for line in streamed or [response.text] if line.strip()]
    assert message["id"] == number
    result = message["result"]
    if result.get("isError"):
        text = result["content"][0]["text"]
        assert f"@{username}:" in text
        assert not any(word in text for word in ("<html", "clt.", "Traceback", "httpx"))
        return Status(text.partition(":")[0])
    [video] = result["structuredContent"]["videos"]
    assert result["structuredContent"]["username"] == username
    assert (video["view_count"], video["id"]) == (views(username), str(7_000_000_000_000_000_000 + views(username)))
    return Status.FOUND


def resident(server: HTTPServer) -> int:
    return psutil.Process(server.process.pid).memory_info().rss


@pytest.mark.timeout(900)
async def test_twenty_thousand_calls_are_each_answered_truly_and_leave_nothing_behind() -> None:
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()
    seen: list[int] = []
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with serving() as upstream, httpx.AsyncClient(timeout=120, limits=limits) as http:
        answering(upstream)
        env = {
            "TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:",
            "TIKTOK_API_BASE_URL": upstream.url, "TIKTOK_DAILY_QUOTA": "10000000", "TIKTOK_MAX_CONCURRENCY": "32",
            "TIKTOK_CACHE_TTL": "1", "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        with http_server(env=env, sandbox=False) as server:

            async def work(modern: bool) -> None:
                while (number := next(numbers)) < CALLS:
                    outcomes[await ask(http, server.url, number, modern=modern)] += 1
                    if number % (CALLS // 10) == CALLS // 10 - 1:
                        seen.append(resident(server))

            await asyncio.gather(*(work(turn % 2 == 0) for turn in range(AT_ONCE)))
            lines = [line for line in server.lines if "ERROR" in line or "Traceback" in line]

    assert outcomes.total() == CALLS
    assert set(outcomes) <= {Status.FOUND, Status.UPSTREAM_ERROR, Status.NOT_FOUND, Status.TIMEOUT, Status.UNREACHABLE}
    assert outcomes[Status.FOUND] > 0.5 * CALLS
    assert outcomes[Status.UPSTREAM_ERROR] > 0
    assert lines == []
    # What is remembered of accounts is bounded; after a third of the way it has come.
    assert max(seen[4:]) - seen[3] < 24 * 1024 * 1024, seen
