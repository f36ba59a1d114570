"""Many accounts as one call."""

from __future__ import annotations

import asyncio

import pytest

from kit.virtual import VIRTUAL_TIME, now
from tiktok_pinned_videos.research.errors import APITimeoutError, InternalError, QuotaExceededError
from tiktok_pinned_videos.service.many import Outcome, ask_many

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
NAMES = [f"user{number}" for number in range(6)]


class Asking:
    """Accounts that take a second each; `quota`, `broken` and `slow` do as their names say."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: list[tuple[int, str]] = []
        self.pause = 0.0

    async def ask(self, name: str) -> str:
        self.asked.append(name)
        await asyncio.sleep(100 if name == "slow" else 1)
        if name == "quota":
            raise QuotaExceededError("spent.")
        if name == "broken":
            raise KeyError(name)
        return name

    async def progress(self, done: int, outcome: Outcome[str]) -> None:
        self.done.append((done, outcome.username))
        await asyncio.sleep(self.pause)

    async def stored(self, name: str) -> str | None:
        return "stored" if name == "user5" else None

    async def all(self, *names: str, at_once: int = 2) -> dict[str, object]:
        outcomes = await ask_many(
            names, ask=self.ask, fallback=self.stored, max_concurrency=at_once, time_limit=50, progress=self.progress
        )
        assert [outcome.username for outcome in outcomes] == list(names)
        return {outcome.username: outcome.answer or type(outcome.error) for outcome in outcomes}


async def test_no_account_begins_before_a_slow_consumer_has_taken_the_answer_before() -> None:
    asking = Asking()
    asking.pause = 10
    running = asyncio.create_task(asking.all(*NAMES[:3], at_once=1))
    await asyncio.sleep(5)
    begun = list(asking.asked)
    await running

    assert begun == ["user0"]
    assert asking.done == [(1, "user0"), (2, "user1"), (3, "user2")]


async def test_a_spent_quota_ends_the_requests_and_the_rest_get_stored_answers() -> None:
    asking = Asking()
    outcomes = await asking.all("quota", "user4", "user5", at_once=1)

    assert outcomes == {"quota": QuotaExceededError, "user4": QuotaExceededError, "user5": "stored"}
    assert asking.asked == ["quota"]


async def test_one_fault_or_slow_account_costs_the_others_nothing() -> None:
    started = now()
    outcomes = await Asking().all("broken", "slow", "user0")

    assert outcomes == {"broken": InternalError, "slow": APITimeoutError, "user0": "user0"}
    assert now() - started == 50
