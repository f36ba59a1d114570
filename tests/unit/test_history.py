"""The history: what is stored between answers, and for how long; on every store, with the test's clock."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.calls import service
from kit.tiktok import SANDBOX, Asked, tiktok
from kit.upstream import Reply, refusal, videos
from kit.virtual import NOON, Clock
from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.fields import COUNTS, DEFAULT
from tiktok_pinned_videos.service.history import Changes, Observation
from tiktok_pinned_videos.service.service import Answer, PinnedVideosService

pytestmark = pytest.mark.anyio
DAY = 86_400
Pins = dict[str, int]
"""Views by id."""


def fails(code: str = "invalid_params", message: str = "something else") -> Reply:
    return refusal(400, code, message)


NOT_FOUND = fails(message="`username: nasa` is invalid: cannot find the user")
PRIVATE = fails(message="`username: nasa` is private")


class Account:
    """An account that pins what the test says, the services that request it, and their clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.failure: Reply | None = None
        self.services: list[PinnedVideosService] = []
        self._pins: Pins = {}

    def reply(self, asked: Asked) -> Reply:
        if self.failure:
            return self.failure
        every = [{"id": int(id_), **dict.fromkeys(COUNTS, views)} for id_, views in self._pins.items()]
        return videos([{name: value for name, value in one.items() if name in asked.fields} for one in every])

    async def observe(
        self, pins: Pins | None = None, *, service: int = 0, fields: tuple[str, ...] = DEFAULT, after: float = 0
    ) -> Answer:
        """Request it after so many seconds, when these videos are pinned."""
        self.clock.now += after
        self._pins = pins or {}
        return await self.services[service].answer("nasa", fields, refresh=True)

    async def cached(self, fields: tuple[str, ...] = DEFAULT, service: int = 0) -> Answer:
        return await self.services[service].answer("NASA", fields)

    async def observations(self, service: int = 0) -> tuple[Observation, ...]:
        return (await self.services[service].accounts.load("nasa")).observations


@asynccontextmanager
async def observed(*stores: str, account: Account | None = None, **settings: Any) -> AsyncGenerator[Account]:
    """A service for each of these stores, as if each were a process; `history_days` may have a value for each."""
    account = account or Account()
    days = settings.pop("history_days", [15] * len(stores))
    async with tiktok(account.reply) as upstream, AsyncExitStack() as stack:
        account.services = [
            await stack.enter_async_context(
                service(upstream, clock=account.clock, state=store, timeout=30, history_days=history, **settings)
            )
            for store, history in zip(stores, days, strict=True)
        ]
        yield account


@pytest.fixture
async def account() -> AsyncGenerator[Account]:
    async with observed("memory:") as account:
        yield account


# --- the script of 40 steps -----------------------------------------------------------------------------------------


class Remembered:
    """What ought to be remembered, computed in another way: every observation that was taken, thinned out."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, Pins]] = []

    def changes_at(self, now: int, pins: Pins) -> dict[str, Any] | None:
        past = [(at, then) for at, then in self.taken if at > now - 15 * DAY]
        firsts: dict[int, tuple[int, Pins]] = {}
        for one in past:
            firsts.setdefault(one[0] // DAY, one)
        observations = sorted(firsts.values(), key=lambda one: one[0])
        if past and past[-1][0] > observations[-1][0]:
            observations.append(past[-1])
        if not observations:
            return None
        observations.append((now, pins))
        since, before = observations[0]
        turned: dict[str, tuple[int, int]] = {}
        for (after, old), (by, new) in itertools.pairwise(observations):
            turned |= dict.fromkeys(old.keys() ^ new.keys(), (after, by))
        both = before.keys() & pins.keys()
        grown = sum(pins[id_] - before[id_] for id_ in both)
        return {
            "since": since,
            "pinned": {id_: turned[id_] for id_ in pins.keys() - before.keys()},
            "unpinned": {id_: turned[id_] for id_ in before.keys() - pins.keys()},
            "growth": dict.fromkeys(COUNTS, grown) if both else {},
        }


def as_reported(changes: Changes | None) -> dict[str, Any] | None:
    if changes is None:
        return None
    return {
        "since": changes.since,
        "pinned": {one.id: (one.after, one.by) for one in changes.pinned},
        "unpinned": {one.id: (one.after, one.by) for one in changes.unpinned},
        "growth": dict(changes.growth),
    }


@pytest.fixture(params=["memory", "sqlite", "redis"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Where two processes keep what they share; memory is one process's alone."""
    match request.param:
        case "memory":
            return ["memory:"]
        case "sqlite":
            return [f"sqlite:///{tmp_path}/state.sqlite3"] * 2
        case _:
            return [request.getfixturevalue("redis_url")] * 2


async def test_every_reported_change_is_that_of_the_script_over_sixteen_days_and_forty_steps(stores: list[str]) -> None:
    dice, expected = random.Random(7), Remembered()
    views = dict.fromkeys("123456", 1000)
    reported: list[dict[str, Any] | None] = []
    wanted: list[dict[str, Any] | None] = []
    async with observed(*stores) as account:
        for step in range(40):
            later = dice.randrange(2_000, 16 * DAY // 20)
            views = {id_: count + dice.randrange(-5, 500) for id_, count in views.items()}
            pins = {id_: views[id_] for id_ in dice.sample("123456", dice.randrange(4))}
            account.failure = {11: fails(), 12: fails("internal_error"), 17: NOT_FOUND, 29: PRIVATE}.get(step)
            if account.failure:
                with pytest.raises(TikTokError):
                    await account.observe(after=later)
                expected.taken = [] if step in (17, 29) else expected.taken
                continue
            answer = await account.observe(pins, service=step % len(stores), after=later)
            reported.append(as_reported(answer.changes))
            wanted.append(expected.changes_at(int(account.clock.now), pins))
            expected.taken.append((int(account.clock.now), pins))

    assert reported == wanted
    assert sum(one is None for one in reported) == 3
    assert sum(bool(one and one["pinned"]) for one in reported) > 10


async def test_two_processes_that_observe_at_the_same_time_lose_no_day(stores: list[str]) -> None:
    async with observed(*stores) as account:
        for day in range(4):
            pins = {str(day): day}
            await asyncio.gather(*(account.observe(pins, service=each) for each in range(len(stores)) for _ in "abc"))
            account.clock.now += DAY
        seen = [(one.seen_at, list(one.videos)) for one in await account.observations()]

    assert seen[:4] == [(int(NOON) + day * DAY, [str(day)]) for day in range(4)]


# --- what is not a change -------------------------------------------------------------------------------------------


async def test_a_cached_answer_has_the_changes_of_the_time_it_was_fetched(account: Account) -> None:
    await account.observe({"1": 5})
    fresh = await account.observe({"1": 7, "2": 1}, after=3600)
    cached = await account.cached()

    assert cached.cached
    assert cached.changes == fresh.changes
    assert cached.changes is not None
    assert dict(cached.changes.growth) == dict.fromkeys(COUNTS, 2)


async def test_growth_has_only_requested_counts(account: Account) -> None:
    await account.observe({"1": 5})
    await account.observe({"1": 8}, after=3600)
    narrow, bare = await account.cached(("id", "like_count")), await account.cached(("id",))

    assert narrow.changes == Changes(int(NOON), (), (), (("like_count", 3),))
    assert bare.changes == Changes(int(NOON), (), (), ())


async def test_a_field_that_was_not_asked_for_is_unknown_and_unpins_nothing(account: Account) -> None:
    await account.observe({"1": 5}, fields=("id",))

    assert (await account.observe({"1": 9}, after=3600)).changes == Changes(int(NOON), (), (), ())


@pytest.mark.parametrize(("failure", "left"), [(fails(), 1), (NOT_FOUND, 0), (PRIVATE, 0)])
async def test_a_failure_leaves_the_history_unless_the_account_is_gone(
    account: Account, failure: Reply, left: int
) -> None:
    await account.observe({"1": 5})
    account.failure = failure
    with pytest.raises(TikTokError):
        await account.observe()

    assert len(await account.observations()) == left


@pytest.mark.parametrize("wrong", [400 * DAY, 3 * DAY, 7200, -3 * DAY, -9000 * DAY])
async def test_a_wrong_clock_makes_no_observation_in_the_future(account: Account, wrong: int) -> None:
    await account.observe({"1": 5}, after=wrong)
    changes = (await account.observe({"2": 5}, after=-wrong)).changes
    seen = await account.observations()
    later = (await account.observe({"2": 5}, after=60)).changes

    assert all(one.seen_at <= NOON for one in seen)
    assert changes is None or changes.since < NOON
    assert later is not None
    assert later.since <= NOON
    assert all(turn.after < turn.by <= NOON + 60 for turn in (*later.pinned, *later.unpinned))


async def test_observations_of_the_sandbox_and_of_tiktok_are_not_compared(account: Account) -> None:
    account.failure = videos([{"id": 1}], headers=SANDBOX)
    simulated = await account.observe()
    account.failure = videos([{"id": 2}])
    first, second = await account.observe(after=60), await account.observe(after=60)

    assert simulated.snapshot.sandbox
    assert first.changes is None
    assert second.changes == Changes(int(NOON) + 60, (), (), ())


# --- for how long ---------------------------------------------------------------------------------------------------


async def test_without_days_nothing_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    async with observed(f"sqlite:///{file}", history_days=[0]) as account:
        await account.observe({"1": 5})
        assert (await account.observe({"1": 5})).changes is None

    assert b"observation:" not in file.read_bytes()


@pytest.mark.parametrize("days", [1, 15])
async def test_after_its_expiry_no_file_has_anything_of_an_observation(tmp_path: Path, days: int) -> None:
    state, marks = f"sqlite:///{tmp_path}/state.sqlite3", ("7271828182845904523", "7314159265358979323")

    def on_disk() -> list[str]:
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        return [mark for mark in marks if mark.encode() in content]

    async with observed(state, history_days=[days], cache_ttl=15 * DAY) as account:
        await account.observe({marks[0]: 5})
        await account.observe({marks[1]: 5}, after=60)
        before = on_disk()
    account.clock.now += days * DAY
    async with observed(state, account=account, history_days=[days], cache_ttl=15 * DAY):
        await account.observations()

    assert before == list(marks)
    assert on_disk() == []


async def test_fewer_days_ignore_older_observations_at_once_and_delete_them_at_the_next_request(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite3"
    async with observed(state, state, history_days=[15, 2], cache_ttl=15 * DAY) as account:
        for day in range(5):
            await account.observe({str(day): 5})
            account.clock.now += DAY
        changes = [(await account.cached(service=each)).changes for each in (0, 1)]
        seen = [len(await account.observations(service=each)) for each in (0, 1)]
        await account.observe(service=1)

        assert [one is None for one in changes] == [False, True]
        assert seen == [5, 1]
        assert len(await account.observations()) == 2
