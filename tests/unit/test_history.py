"""The history: what is stored between answers, and for how long; on every store, with the test's clock."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.calls import service
from kit.clock import NOON, Clock
from kit.tiktok import SANDBOX, Asked, tiktok
from kit.upstream import Reply, refusal, videos
from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.fields import COUNTS, DEFAULT
from tiktok_pinned_videos.service.history import Changes
from tiktok_pinned_videos.service.service import Answer, PinnedVideosService

pytestmark = pytest.mark.anyio
DAY = 86_400
Pins = dict[str, int]
"""Views by id."""


class Script:
    """An account that pins what the test says."""

    def __init__(self) -> None:
        self.pins: Pins = {}
        self.failure: Reply | None = None

    def reply(self, asked: Asked) -> Reply:
        if self.failure:
            return self.failure
        every = [{"id": int(id_), **dict.fromkeys(COUNTS, views)} for id_, views in self.pins.items()]
        return videos([{name: value for name, value in one.items() if name in asked.fields} for one in every])


def fails(code: str = "invalid_params", message: str = "something else") -> Reply:
    return refusal(400, code, message)


NOT_FOUND = fails(message="`username: nasa` is invalid: cannot find the user")
PRIVATE = fails(message="`username: nasa` is private")


@asynccontextmanager
async def looking(clock: Clock, *urls: str, **more: Any) -> AsyncGenerator[tuple[Script, list[PinnedVideosService]]]:
    """A service for each of these stores, as if each were a process, all asking one upstream."""
    script = Script()
    async with tiktok(script.reply) as upstream, AsyncExitStack() as stack:
        services = [
            await stack.enter_async_context(service(upstream, clock=clock, state=url, timeout=30, **more))
            for url in urls
        ]
        yield script, services


async def observation(asked: PinnedVideosService, fields: tuple[str, ...] = DEFAULT) -> Answer:
    return await asked.answer("nasa", fields, refresh=True)


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


async def play(clock: Clock, script: Script, ask: Callable[[int], Awaitable[Changes | None]]) -> None:
    """Forty observations over sixteen days; every reported change is the expected one."""
    dice, expected = random.Random(7), Remembered()
    views = dict.fromkeys("123456", 1000)
    reported: list[dict[str, Any] | None] = []
    wanted: list[dict[str, Any] | None] = []
    for step in range(40):
        clock.now += dice.randrange(2_000, 16 * DAY // 20)
        views = {id_: count + dice.randrange(-5, 500) for id_, count in views.items()}
        script.pins = {id_: views[id_] for id_ in dice.sample("123456", dice.randrange(4))}
        script.failure = {11: fails(), 12: fails("internal_error"), 17: NOT_FOUND, 29: PRIVATE}.get(step)
        if script.failure:
            with pytest.raises(TikTokError):
                await ask(step)
            expected.taken = [] if step in (17, 29) else expected.taken
            continue
        reported.append(as_reported(await ask(step)))
        wanted.append(expected.changes_at(int(clock.now), script.pins))
        expected.taken.append((int(clock.now), script.pins))

    assert reported == wanted
    assert sum(one is None for one in reported) == 3
    assert sum(bool(one and one["pinned"]) for one in reported) > 10


async def test_every_reported_change_is_that_of_the_script_over_sixteen_days_and_forty_steps(stores: list[str]) -> None:
    clock = Clock()
    async with looking(clock, *stores) as (script, services):

        async def ask(step: int) -> Changes | None:
            return (await observation(services[step % len(services)])).changes

        await play(clock, script, ask)


async def test_two_processes_that_observe_at_the_same_time_lose_no_day(stores: list[str]) -> None:
    clock = Clock()
    async with looking(clock, *stores) as (script, services):
        for day in range(4):
            script.pins = {str(day): day}
            await asyncio.gather(*(observation(each) for each in services for _ in range(3)))
            clock.now += DAY
        remembered = (await services[-1].accounts.load("nasa")).observations

    assert [(one.seen_at, list(one.videos)) for one in remembered[:4]] == [
        (int(NOON) + day * DAY, [str(day)]) for day in range(4)
    ]


# --- what is not a change -------------------------------------------------------------------------------------------


@pytest.fixture
async def one() -> AsyncGenerator[tuple[Clock, Script, PinnedVideosService]]:
    clock = Clock()
    async with looking(clock, "memory:") as (script, (asked,)):
        yield clock, script, asked


async def test_a_cached_answer_has_the_changes_of_the_time_it_was_fetched(
    one: tuple[Clock, Script, PinnedVideosService],
) -> None:
    clock, script, asked = one
    script.pins = {"1": 5}
    await observation(asked)
    clock.now += 3600
    script.pins = {"1": 7, "2": 1}
    fresh = await observation(asked)
    cached = await asked.answer("NASA", DEFAULT)

    assert cached.cached
    assert cached.changes == fresh.changes
    assert cached.changes is not None
    assert dict(cached.changes.growth) == dict.fromkeys(COUNTS, 2)


async def test_growth_has_only_requested_counts(
    one: tuple[Clock, Script, PinnedVideosService],
) -> None:
    clock, script, asked = one
    script.pins = {"1": 5}
    await observation(asked)
    clock.now += 3600
    script.pins = {"1": 8}
    await observation(asked)
    narrow = await asked.answer("nasa", ("id", "like_count"))
    bare = await asked.answer("nasa", ("id",))

    assert (narrow.changes, bare.changes) == (
        Changes(int(NOON), (), (), (("like_count", 3),)),
        Changes(int(NOON), (), (), ()),
    )


async def test_a_field_that_was_not_asked_for_is_unknown_and_unpins_nothing(
    one: tuple[Clock, Script, PinnedVideosService],
) -> None:
    clock, script, asked = one
    script.pins = {"1": 5}
    await observation(asked, ("id",))
    clock.now += 3600
    script.pins = {"1": 9}

    assert (await observation(asked)).changes == Changes(int(NOON), (), (), ())


@pytest.mark.parametrize(("failure", "left"), [(fails(), 1), (NOT_FOUND, 0), (PRIVATE, 0)])
async def test_a_failure_leaves_the_history_unless_the_account_is_gone(
    one: tuple[Clock, Script, PinnedVideosService], failure: Reply, left: int
) -> None:
    _, script, asked = one
    script.pins = {"1": 5}
    await observation(asked)
    script.failure = failure
    with pytest.raises(TikTokError):
        await observation(asked)

    assert len((await asked.accounts.load("nasa")).observations) == left


@pytest.mark.parametrize("wrong", [400 * DAY, 3 * DAY, 7200, -3 * DAY, -9000 * DAY])
async def test_a_wrong_clock_makes_no_observation_in_the_future(
    one: tuple[Clock, Script, PinnedVideosService], wrong: int
) -> None:
    clock, script, asked = one
    script.pins = {"1": 5}
    clock.now += wrong
    await observation(asked)
    clock.now -= wrong
    script.pins = {"2": 5}
    changes = (await observation(asked)).changes
    remembered = (await asked.accounts.load("nasa")).observations
    clock.now += 60
    later = (await observation(asked)).changes

    assert all(seen.seen_at <= NOON for seen in remembered)
    assert changes is None or changes.since < NOON
    assert later is not None
    assert later.since <= NOON
    assert all(turn.after < turn.by <= NOON + 60 for turn in (*later.pinned, *later.unpinned))


# --- for how long ---------------------------------------------------------------------------------------------------


async def test_without_days_nothing_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    async with looking(Clock(), f"sqlite:///{file}", history_days=0) as (script, (asked,)):
        script.pins = {"1": 5}
        await observation(asked)
        assert (await observation(asked)).changes is None

    assert b"observation:" not in file.read_bytes()


@pytest.mark.parametrize("days", [1, 15])
async def test_the_day_after_its_expiry_no_file_has_anything_of_an_observation(tmp_path: Path, days: int) -> None:
    clock, marks = Clock(), (7_271_828_182_845_904_523, 7_314_159_265_358_979_323)
    url = f"sqlite:///{tmp_path}/state.sqlite3"
    async with looking(clock, url, history_days=days, cache_ttl=15 * DAY) as (script, (asked,)):
        for at, mark in enumerate(marks):
            script.pins = {str(mark): 5}
            await observation(asked)
            clock.now += at + 60
        assert any(found(tmp_path, mark) for mark in marks)
        clock.now += days * DAY
        script.pins = {}
        await asked.answer("other", DEFAULT)
        clock.now += 1

    async with looking(clock, url, history_days=days) as (script, (asked,)):
        await asked.answer("third", DEFAULT)
        assert not any(found(tmp_path, mark) for mark in marks)


def found(folder: Path, mark: int) -> bool:
    """Whether an id can be read in any file, as a number or as text."""
    content = b"".join(written(folder))
    return mark.to_bytes(8, "big") in content or str(mark).encode() in content


def written(folder: Path) -> list[bytes]:
    """Every file of a store: the database, and what stands beside it."""
    return [file.read_bytes() for file in folder.iterdir()]


async def test_fewer_days_ignore_older_observations_at_once_and_delete_them_at_the_next_request(tmp_path: Path) -> None:
    clock, state = Clock(), f"sqlite:///{tmp_path}/state.sqlite3"
    script = Script()
    async with (
        tiktok(script.reply) as upstream,
        service(upstream, clock=clock, state=state, cache_ttl=15 * DAY) as long,
        service(upstream, clock=clock, state=state, cache_ttl=15 * DAY, history_days=2) as short,
    ):
        for day in range(5):
            script.pins = {str(day): 5}
            await observation(long)
            clock.now += DAY
        before = [(await long.answer("nasa", DEFAULT)).changes, (await short.answer("nasa", DEFAULT)).changes]
        seen = [
            len((await long.accounts.load("nasa")).observations),
            len((await short.accounts.load("nasa")).observations),
        ]
        await observation(short)

        assert before[0] is not None
        assert before[1] is None
        assert seen == [5, 1]
        assert len((await long.accounts.load("nasa")).observations) == 2


async def test_observations_of_the_sandbox_and_of_tiktok_are_not_compared() -> None:
    clock = Clock()
    async with looking(clock, "memory:") as (script, (asked,)):
        script.failure = videos([{"id": 1}], headers=SANDBOX)
        assert (await observation(asked)).snapshot.sandbox
        clock.now += 60
        script.failure = videos([{"id": 2}])

        assert (await observation(asked)).changes is None
        clock.now += 60
        assert (await observation(asked)).changes == Changes(int(NOON) + 60, (), (), ())
