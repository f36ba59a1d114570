"""2,000 calls while every third response of the upstream is broken: correct answers or named errors, and no leaks."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import TextContent

from kit.programs import need_module
from kit.upstream import PINNED, Received, Reply, Upstream, html, refusal, serving, videos
from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.research.errors import Status
from tiktok_pinned_videos.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.soak, pytest.mark.timeout(900)]

psutil = need_module("psutil")

CALLS = 2000
AT_ONCE = 16
TIMEOUT = 8.0  # enough for a machine that is busy with other things
STALL = 48.0
SHARE = 0.3
KINDS = ("500", "504 HTML", "reset", "stall", "half a body", "200 with an error", "expired token")


class Faults:
    """Scripts the upstream: true responses, and a share of faults."""

    def __init__(self, upstream: Upstream, seed: int) -> None:
        self._upstream = upstream
        self._random = random.Random(seed)
        self._counted = 0
        self.met: Counter[str] = Counter()

    @property
    def requests(self) -> int:
        """Return the number of research requests so far, and drop them, so that they use no memory."""
        self._counted += sum(request.path == PINNED for request in self._upstream.received)
        self._upstream.received.clear()
        return self._counted

    def __call__(self, request: Received) -> Reply:
        _ = self.requests
        fault = self._random.choice(KINDS) if self._random.random() < SHARE else "none"
        self.met[fault] += 1
        answer = truth(request.json["username"])
        if fault == "expired token":
            self._upstream.revoke_all()
        return {
            "500": refusal(500, "internal_error", "Something is wrong."),
            "504 HTML": html(504),
            "reset": Reply(reset=True),
            "stall": replace(answer, delay=STALL),
            "half a body": replace(answer, send_only=len(answer.body) // 2),
            "200 with an error": refusal(200, "internal_error", "Something is wrong."),
            "expired token": refusal(401, "access_token_invalid", "The access token is invalid."),
        }.get(fault, answer)


def views(username: str) -> int:
    return 1000 + int(username.rpartition("_")[2])


def truth(username: str) -> Reply:
    return videos([{"id": 7_000_000_000_000_000_000 + views(username), "view_count": views(username)}])


async def ask(client: Client, number: int) -> str:
    """Make one call, check that it is true and in time, and return its status."""
    username = f"account_{number}"
    started = time.monotonic()
    result = await client.call_tool("get_pinned_videos", {"username": username})
    # A call that exceeds its deadline by so much waits for the stall, not for a busy machine.
    assert time.monotonic() - started < STALL / 2
    if result.is_error:
        [block] = result.content
        assert isinstance(block, TextContent)
        assert not any(word in block.text for word in ("<html", "clt.", "Traceback", "httpx"))
        return Status(block.text.partition(":")[0])
    answer: Any = result.structured_content
    [video] = answer["videos"]
    assert (answer["status"], answer["username"], video["view_count"]) == ("found", username, views(username))
    assert video["id"] == str(7_000_000_000_000_000_000 + views(username))
    return Status.FOUND


async def test_every_call_ends_in_a_true_answer_or_a_named_error_and_nothing_leaks() -> None:
    tasks, connections = asyncio.all_tasks(), len(psutil.Process().net_connections("tcp"))
    outcomes: Counter[str] = Counter()
    numbers = iter(range(CALLS))
    halfway = 0
    async with serving() as upstream:
        faults = Faults(upstream, seed=4)
        upstream.answer_by(faults)
        settings = Settings(
            client_key="key", client_secret="hunter2-hunter2", api_base_url=upstream.url, timeout=TIMEOUT,
            max_concurrency=AT_ONCE, cache_ttl=0, daily_quota=1_000_000,
        )  # fmt: skip
        backend = Backend(settings, build_service)
        async with Client(build_server(settings, backend=backend)) as client:

            async def work() -> None:
                nonlocal halfway
                for number in numbers:
                    if number == CALLS // 4:
                        gc.collect()
                        tracemalloc.start()
                    elif number == CALLS // 2:
                        gc.collect()
                        halfway = tracemalloc.get_traced_memory()[0]
                    outcomes[await ask(client, number)] += 1

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            used = (await backend.service().ledger.status()).used
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - halfway
            tracemalloc.stop()
        requests = faults.requests
    await asyncio.sleep(0.05)

    assert outcomes.total() == CALLS
    assert outcomes[Status.FOUND] > 0.5 * CALLS  # a busy machine lets more of them run out of time
    assert set(outcomes) <= {
        Status.FOUND, Status.UPSTREAM_ERROR, Status.TIMEOUT, Status.UNREACHABLE, Status.AUTH_FAILED
    }  # fmt: skip
    assert min(faults.met[fault] for fault in KINDS) > CALLS * SHARE / len(KINDS) / 2
    # Reserved before it is sent: a deadline may fall between the two.
    assert requests <= used <= requests + outcomes[Status.TIMEOUT]
    # 1 KiB per call would be twice as much.
    assert grown < 500_000
    assert asyncio.all_tasks() - tasks == set()
    assert len(psutil.Process().net_connections("tcp")) <= connections
