"""Counters over a store that goes away or forgets, in virtual time: nothing that was counted is ever lost."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from kit import KEY, SECRET, VIRTUAL_TIME, now, stored, until, wall_clock
from tiktok_pinned_videos.research.oauth import ClientCredentialsAuth
from tiktok_pinned_videos.service.tokens import SharedTokens
from tiktok_pinned_videos.state.base import StateStoreError
from tiktok_pinned_videos.state.memory import MemoryStore
from tiktok_pinned_videos.state.resilient import ResilientStore
from tiktok_pinned_videos.state.steps import Increment, Step

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]


class Wobbly(MemoryStore):
    """A medium that can be away, and whose counting can be slow."""

    away = False
    delay = 0.0
    counting = 0

    async def run(self, *steps: Step[Any]) -> list[Any]:
        if self.away:
            raise StateStoreError("away")
        if any(not step.keys for step in steps):
            raise StateStoreError("wrong number of arguments")  # as Redis has it
        if isinstance(steps[0], Increment):
            self.counting += 1
            await asyncio.sleep(self.delay)
            self.counting -= 1
        return await super().run(*steps)


async def test_what_is_counted_while_the_outage_is_being_told_is_told_as_well() -> None:
    primary = Wobbly(clock=wall_clock())
    store = ResilientStore(primary, clock=wall_clock())
    await stored.increment(store, "used", ttl=3600)
    primary.away = True
    await stored.increment(store, "used", 5, ttl=3600)
    primary.away, primary.delay = False, 0.5
    await until(lambda: primary.counting)  # the five are on their way
    await stored.increment(store, "used", 3, ttl=3600)
    await until(lambda: not store.degraded)

    assert await stored.get(store, "used") == b"9"
    await store.aclose()


async def test_an_idle_process_tells_a_store_that_forgot_what_it_knows() -> None:
    primary = Wobbly(clock=wall_clock())
    idle, busy = (ResilientStore(primary, clock=wall_clock()) for _ in range(2))
    for _ in range(40):
        await stored.increment(idle, "used", ttl=3600)
    primary._entries.clear()  # pyright: ignore[reportPrivateUsage] - a FLUSHALL
    await asyncio.sleep(2)  # idle is asked for nothing

    assert await stored.increment(busy, "used", ttl=3600) == 41
    await idle.aclose()
    await busy.aclose()


async def test_the_end_of_a_counters_life_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    store = ResilientStore(Wobbly(clock=wall_clock()), clock=wall_clock())
    await stored.increment(store, "used", ttl=1)
    await asyncio.sleep(5)

    assert caplog.messages == []
    await store.aclose()


async def test_who_counts_in_the_moment_the_store_forgot_is_told_what_the_idle_one_knows() -> None:
    primary = Wobbly(clock=wall_clock())
    idle, busy = (ResilientStore(primary, clock=wall_clock()) for _ in range(2))
    assert await stored.increment(busy, "used", ttl=3600) == 1
    for _ in range(40):
        await stored.increment(idle, "used", ttl=3600)
    primary._entries.clear()  # pyright: ignore[reportPrivateUsage] - a FLUSHALL
    started = now()

    assert await stored.increment(busy, "used", ttl=3600) == 42
    assert now() - started < 2
    await idle.aclose()
    await busy.aclose()


async def test_a_replica_that_could_not_fetch_a_token_lets_the_next_one_try_at_once() -> None:
    store = MemoryStore(clock=wall_clock())
    failing, next_one = (SharedTokens(store, clock=wall_clock()) for _ in range(2))
    auth = ClientCredentialsAuth(
        token_url="https://open.tiktokapis.com/v2/oauth/token/",
        client_key=KEY, client_secret=SECRET, clock=wall_clock(), shared=failing,
    )  # fmt: skip
    flow = auth.async_auth_flow(httpx.Request("POST", "https://open.tiktokapis.com/"))
    await anext(flow)
    with pytest.raises(httpx.ConnectError):
        await flow.athrow(httpx.ConnectError("down"))
    started = now()

    assert await next_one.acquire() is None
    assert now() - started < 0.1
