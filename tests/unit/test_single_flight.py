"""Single flight: simultaneous calls share one request, even if the first call is cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.calls import compare, get, service, settings, talking
from kit.programs import until
from kit.stores import Opened
from kit.tiktok import MANY, Asked, pinned, tiktok
from kit.upstream import Reply, refusal
from kit.virtual import NOON, VIRTUAL_TIME, now, wall_clock
from tiktok_pinned_videos.service.service import StoppingError
from tiktok_pinned_videos.state.base import Entry
from tiktok_pinned_videos.state.open import open_primary

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
FIELDS = ("id", "view_count")


def left_over() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("flight")]


@pytest.mark.parametrize("ttl", [300.0, 0.0])
async def test_a_hundred_identical_calls_at_once_are_one_request(ttl: float) -> None:
    async with tiktok(latency=0.05) as upstream, talking(upstream, cache_ttl=ttl) as client:
        answers = await asyncio.gather(
            *(get(client, name) for name in ["nasa", "@NASA", "tiktok.com/@nasa", "nasa"] * 25)
        )

        assert upstream.names == ["nasa"]
        assert len(upstream.wire.token_requests) == 1
        assert {answer["status"] for answer in answers} == {"found"}
        assert {answer["log_id"] for answer in answers} == {"log-1"}


async def test_when_the_call_that_leads_is_cancelled_the_others_are_still_answered() -> None:
    async with tiktok(latency=0.2) as upstream, talking(upstream) as client:
        leader = asyncio.create_task(get(client, "nasa"))
        await upstream.first.wait()
        others = [asyncio.create_task(get(client, "nasa")) for _ in range(5)]
        await asyncio.sleep(0.05)
        leader.cancel()
        answers = await asyncio.gather(*others)

        assert leader.cancelled() or leader.cancelling()
        assert [answer["status"] for answer in answers] == ["found"] * 5
        assert len(upstream.asked) == 1


async def test_when_everybody_leaves_the_request_on_the_wire_is_finished_and_its_answer_kept() -> None:
    async with tiktok(latency=0.3) as upstream, service(upstream) as asking:
        calls = [asyncio.create_task(asking.answer("nasa", FIELDS)) for _ in range(3)]
        await upstream.first.wait()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        joined = await asking.answer("nasa", FIELDS)
        later = await asking.answer("nasa", FIELDS)

        assert (joined.cached, joined.requests) == (False, 1)
        assert later.cached
        assert len(upstream.asked) == 1
        assert left_over() == []


async def test_thirty_accounts_cancelled_and_asked_again_are_thirty_requests() -> None:
    async with tiktok(latency=0.1) as upstream, talking(upstream) as client:
        call = asyncio.create_task(compare(client, MANY[:30]))
        await until(lambda: len(upstream.asked) >= 12)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        answer = await compare(client, MANY[:30])

        assert [account["status"] for account in answer["accounts"]] == ["found"] * 30
        assert sorted(upstream.names) == sorted(MANY[:30])


async def test_a_failure_without_waiting_callers_is_not_retried() -> None:
    down = refusal(500, "internal_error")
    async with tiktok(lambda _: down, latency=0.2) as upstream, service(upstream) as asking:
        call = asyncio.create_task(asking.answer("nasa", FIELDS))
        await upstream.first.wait()
        call.cancel()
        await until(lambda: not left_over())

        assert len(upstream.asked) == 1


async def test_a_token_without_waiting_callers_is_kept_and_no_account_is_requested() -> None:
    async with tiktok() as upstream, service(upstream) as asking:
        upstream.wire.token_delay = 1.0
        call = asyncio.create_task(asking.answer("nasa", FIELDS))
        await until(lambda: upstream.wire.token_requests)
        call.cancel()
        await until(lambda: not left_over())
        asked = len(upstream.asked)
        await asking.answer("esa", FIELDS)

        assert asked == 0
        assert len(upstream.wire.token_requests) == 1


async def test_a_request_in_the_queue_is_not_sent_without_waiting_callers() -> None:
    async with tiktok(latency=0.3) as upstream, service(upstream, max_concurrency=1) as asking:
        first = asyncio.create_task(asking.answer("nasa", FIELDS))
        await upstream.first.wait()
        second = asyncio.create_task(asking.answer("esa", FIELDS))
        await asyncio.sleep(0.02)
        second.cancel()
        await first

        assert left_over() == []
        assert upstream.names == ["nasa"]


@pytest.mark.parametrize("most", [1, 3])
async def test_calls_for_many_accounts_at_once_send_no_more_at_once_than_they_may(most: int) -> None:
    async with tiktok(latency=0.2) as upstream, talking(upstream, max_concurrency=most) as client:
        await asyncio.gather(*(get(client, name) for name in MANY[:12]))

        assert upstream.most_at_once == most
        assert len(upstream.asked) == 12


async def test_the_cost_of_a_request_is_reported_to_one_of_its_callers() -> None:
    bad = refusal(400, "invalid_params", "bad")
    async with tiktok(lambda _: bad, latency=0.1) as upstream, service(upstream) as asking:
        answers = await asyncio.gather(*(asking.answer("nasa", FIELDS) for _ in range(10)), return_exceptions=True)

        assert sorted(getattr(error, "requests", None) or 0 for error in answers) == [0] * 9 + [1]
        assert len({id(error) for error in answers}) == 10


async def test_a_call_for_other_fields_than_an_abandoned_request_gets_all_of_them_after_it() -> None:
    async with tiktok(latency=0.2) as upstream, service(upstream) as asking:
        leader = asyncio.create_task(asking.answer("nasa", ("id", "view_count")))
        await upstream.first.wait()
        other = asyncio.create_task(asking.answer("nasa", ("id", "region_code")))
        await asyncio.sleep(0.02)
        leader.cancel()
        answer = await other

        assert answer.snapshot.videos[0].get("region_code") == "DE"
        assert [set(asked.fields) for asked in upstream.asked] == [
            {"id", "view_count"},
            {"id", "view_count", "region_code"},
        ]


# Across servers, through a store


async def test_a_lease_whose_holder_was_killed_delays_others_by_at_most_ten_seconds(
    tmp_path: Path, opened: Opened
) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with tiktok() as upstream, service(upstream, state=state) as asking:
        key = f"{settings(upstream).namespace}:lease:nasa"
        await opened(open_primary(state, clock=wall_clock())).add(Entry(key, b"killed", 60.0))
        started = now()
        answer = await asking.answer("nasa", FIELDS)

        assert answer.snapshot.videos
        assert 9 < now() - started < 10.2


async def test_a_server_that_stops_in_the_middle_gives_its_lease_back(tmp_path: Path) -> None:
    def slow_once(asked: Asked) -> Reply:
        return Reply(200, pinned(asked).body, delay=20 if asked.number == 1 else 0)

    state = f"sqlite:///{tmp_path}/state.db"
    async with tiktok(slow_once) as upstream, service(upstream, state=state) as other:
        async with service(upstream, state=state) as one:
            call = asyncio.create_task(one.answer("nasa", FIELDS))
            await upstream.first.wait()
        await asyncio.gather(call, return_exceptions=True)
        started = now()
        answer = await other.answer("nasa", FIELDS)

        assert answer.snapshot.videos
        assert now() - started < 0.1


async def test_when_the_server_that_leads_fails_the_other_asks_for_itself(tmp_path: Path) -> None:
    def fails_once(asked: Asked) -> Reply:
        return refusal(400, "invalid_params", "bad") if asked.number == 1 else pinned(asked)

    state = f"sqlite:///{tmp_path}/state.db"
    async with (
        tiktok(fails_once, latency=0.1) as upstream,
        service(upstream, state=state) as one,
        service(upstream, state=state) as other,
    ):
        answers = await asyncio.gather(one.answer("nasa", FIELDS), other.answer("nasa", FIELDS), return_exceptions=True)

        assert sorted(type(result).__name__ for result in answers) == ["Answer", "BadRequestError"]
        assert len(upstream.asked) == 2


@pytest.mark.parametrize("refresh", [False, True])
async def test_two_servers_on_one_file_send_one_request_for_an_account(tmp_path: Path, refresh: bool) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with (
        tiktok(latency=0.2) as upstream,
        service(upstream, state=state, max_concurrency=32) as one,
        service(upstream, state=state, max_concurrency=32) as other,
    ):
        if refresh:
            await one.answer("nasa", FIELDS)
            await asyncio.sleep(1)
        before = now()
        answers = await asyncio.gather(
            *(asking.answer("nasa", FIELDS, refresh=refresh) for asking in (one, other) * 20)
        )

        assert len(upstream.asked) == 1 + refresh
        assert len({(answer.snapshot.retrieved_at, answer.snapshot.log_id) for answer in answers}) == 1
        assert answers[0].snapshot.retrieved_at > NOON + before
        assert not refresh or not any(answer.cached for answer in answers)


async def test_a_sent_request_is_answered_within_the_drain_and_every_other_call_ends_at_once() -> None:
    async with tiktok(latency=3) as upstream, service(upstream, max_concurrency=2) as asking:
        sent = [
            asyncio.create_task(asking.answer("nasa", FIELDS)),
            asyncio.create_task(asking.fetch_raw("nasa", FIELDS)),
        ]
        await until(lambda: len(upstream.asked) == 2)
        waiting = asyncio.create_task(asking.answer("jaxa", FIELDS))
        await asyncio.sleep(0.1)
        closing, started = asyncio.create_task(asking.aclose(drain=3.5)), now()
        with pytest.raises(StoppingError, match="the program ended before") as stopped:
            await waiting
        ended = now() - started
        results = await asyncio.gather(*sent)
        await closing

        assert ended < 0.1
        assert str(stopped.value.again()) == str(stopped.value)
        assert [result.snapshot.username for result in results] == ["nasa", "nasa"]
        assert upstream.names == ["nasa", "nasa"]


async def test_a_request_without_callers_is_awaited_for_a_store_that_outlives_the_process_only(tmp_path: Path) -> None:
    for state, kept in ((f"sqlite:///{tmp_path}/state.db", True), ("memory:", False)):
        async with tiktok(latency=3) as upstream, service(upstream, state=state) as asking:
            call = asyncio.create_task(asking.answer("nasa", FIELDS))
            await upstream.first.wait()
            call.cancel()
            await asyncio.sleep(0)
            started = now()
            await asking.aclose(drain=3.5)

            assert (now() - started > 2) is kept
