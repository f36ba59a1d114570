"""What was paid for is kept and what is told is true: at midnight, with wrong clocks, by other names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit import (
    NOON,
    VIRTUAL_TIME,
    Asked,
    Clock,
    Reply,
    compare,
    get,
    html,
    now,
    pinned,
    quota_spent,
    refusal,
    service,
    stored,
    talking,
    tiktok,
    unknown_account,
    videos,
)
from tiktok_pinned_videos.accounts.ledger import Ledger
from tiktok_pinned_videos.accounts.service import PinnedVideosService
from tiktok_pinned_videos.research.errors import QuotaExceededError, TikTokError
from tiktok_pinned_videos.state.base import StateStore, StateStoreError
from tiktok_pinned_videos.state.memory import MemoryStore
from tiktok_pinned_videos.state.resilient import ResilientStore
from tiktok_pinned_videos.state.steps import Step

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
FIELDS = ("id", "view_count")
DAY = 86_400
MIDNIGHT = NOON + DAY / 2
"""The end of 2026-06-01."""


async def used(asking: PinnedVideosService, *days: str) -> list[bytes | None]:
    """What is counted in each day."""
    store: StateStore = asking._store  # pyright: ignore[reportPrivateUsage] - the status knows today alone
    return await stored.get_many(store, [f"used:2026-06-{day}" for day in days])


# The day turns


async def test_a_refusal_after_midnight_closes_the_day_that_its_request_was_counted_in() -> None:
    clock = Clock(MIDNIGHT - 0.1)

    def refused_later(_: Asked) -> Reply:
        clock.now = MIDNIGHT + 0.1
        return quota_spent()

    async with tiktok(refused_later) as upstream, service(upstream, clock=clock) as asking:
        with pytest.raises(QuotaExceededError):
            await asking.answer("nasa", FIELDS)
        upstream.reply = pinned
        answer = await asking.answer("esa", FIELDS)

        assert answer.snapshot.videos
        assert await used(asking, "01", "02") == [b"1", b"1"]
        assert (await asking.quota()).closed is False


async def test_a_probe_that_is_answered_after_midnight_opens_the_day_it_was_sent_in_and_counts_in_it() -> None:
    clock = Clock(MIDNIGHT - 3600.1)

    def answered_later(asked: Asked) -> Reply:
        clock.now = MIDNIGHT + 0.1
        return pinned(asked)

    async with tiktok(lambda _: quota_spent()) as upstream, service(upstream, clock=clock) as asking:
        with pytest.raises(QuotaExceededError):
            await asking.answer("nasa", FIELDS)
        clock.now = MIDNIGHT - 0.1
        upstream.reply = answered_later
        await asking.answer("probe", FIELDS)
        await asking.answer("esa", FIELDS)

        assert await used(asking, "01", "02") == [b"2", b"1"]
        assert (await asking.quota()).closed is False


class Away(MemoryStore):
    """A medium that can be away."""

    away = False

    async def run(self, *steps: Step[object]) -> list[object]:
        if self.away:
            raise StateStoreError("away")
        return await super().run(*steps)


async def test_a_day_that_turns_in_an_outage_is_counted_exactly_and_so_is_the_next() -> None:
    began = now()

    def clock() -> float:
        return MIDNIGHT - 10 + now() - began

    medium = Away(clock=clock)
    store = ResilientStore(medium, clock=clock)
    ledger = Ledger(store, quota=10, clock=clock)

    async def reserve(times: int) -> None:
        for _ in range(times):
            await ledger.reserve()

    await reserve(2)
    medium.away = True
    await reserve(3)
    await asyncio.sleep(20)
    await reserve(4)
    assert (await ledger.status()).used == 4
    medium.away = False
    await asyncio.sleep(5)

    assert not store.degraded
    assert await stored.get_many(store, ["used:2026-06-01", "used:2026-06-02"]) == [b"5", b"4"]
    await reserve(6)
    with pytest.raises(QuotaExceededError):
        await ledger.reserve()
    await store.aclose()


async def test_what_was_read_of_a_day_before_it_was_closed_sends_nothing() -> None:
    clock = Clock()
    ledger = Ledger(MemoryStore(clock=clock), quota=10, clock=clock)
    known = ledger.standing([None, None], clock.now)
    assert (await ledger.reserve(known)).probe is False
    await ledger.close(ledger.standing([None, None], clock.now).day)

    with pytest.raises(QuotaExceededError):
        await ledger.reserve(known)


async def test_two_servers_with_different_quotas_on_one_store_both_stay_within_a_closed_day(tmp_path: Path) -> None:
    clock, state = Clock(), f"sqlite:///{tmp_path}/state.db"
    async with (
        tiktok(lambda _: quota_spent()) as upstream,
        service(upstream, clock=clock, state=state, daily_quota=100) as one,
        service(upstream, clock=clock, state=state, daily_quota=200) as other,
    ):
        for turn in range(10):
            for asking in (one, other):
                with pytest.raises(QuotaExceededError):
                    await asking.answer(f"account{turn}", FIELDS)
            clock.now += 60

        assert len(upstream.asked) == 2  # each of the two has asked once whether its quota is left


async def test_the_status_is_of_one_moment_though_the_clock_goes_on() -> None:
    moments = iter(MIDNIGHT - 0.9 + 0.2 * number for number in range(1000))
    async with tiktok() as upstream, talking(upstream, clock=lambda: next(moments)) as client:
        for _ in range(10):
            (content,) = (await client.read_resource("tiktok://status", cache_mode="bypass")).contents
            told = json.loads(content.text)  # pyright: ignore[reportAttributeAccessIssue] - JSON is text

            assert told["quota"]["resets_at"].endswith("T00:00:00Z")


# Clocks that were wrong


@pytest.mark.parametrize("reply", [pinned, unknown_account, lambda _: videos([])], ids=["found", "missing", "empty"])
async def test_an_answer_stored_by_a_clock_that_was_ahead_is_not_told(
    tmp_path: Path, reply: Callable[[Asked], Reply]
) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with (
        tiktok(reply) as upstream,
        talking(upstream, clock=Clock(NOON + 20 * DAY), state=state) as ahead,
        talking(upstream, clock=Clock(), state=state) as right,
    ):
        await get(ahead, "nasa")
        upstream.reply = pinned
        told = await get(right, "nasa")

        assert (told["cached"], told["retrieved_at"]) == (False, "2026-06-01T12:00:00Z")


# Names and places


@pytest.mark.parametrize(
    ("one", "other"), [("straße", "strasse"), ("\ufb01lm", "film"), ("\u017feptember", "september")]
)
async def test_names_that_only_full_case_folding_takes_for_one_are_two_accounts(one: str, other: str) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        told = [await get(client, one), await get(client, other)]

        assert upstream.names == [one, other]
        assert [answer["cached"] for answer in told] == [False, False]


async def test_a_raw_answer_with_videos_takes_the_place_of_a_remembered_nothing() -> None:
    async with tiktok(lambda _: videos([])) as upstream, service(upstream) as asking:
        assert not (await asking.answer("nasa", FIELDS)).snapshot.videos
        upstream.reply = pinned
        await asking.ask("nasa", FIELDS)
        answer = await asking.answer("nasa", FIELDS)

        assert answer.cached
        assert answer.snapshot.videos


@pytest.mark.parametrize(
    ("reply", "cached", "looks"),
    [
        (html(403), True, 1),  # a gateway's page
        (Reply(403, b"{}"), True, 1),
        (refusal(400, "invalid_params", "this account is private"), False, 0),
    ],
    ids=["page", "empty", "tiktok"],
)
async def test_only_tiktoks_own_word_has_an_account_forgotten(reply: Reply, cached: bool, looks: int) -> None:
    async with tiktok() as upstream, service(upstream) as asking:
        await asking.answer("nasa", FIELDS)
        upstream.reply = lambda _: reply
        with pytest.raises(TikTokError):
            await asking.answer("nasa", FIELDS, refresh=True)
        left = await asking.from_cache("nasa", FIELDS)

        assert (left is not None) is cached
        assert len(await asking.looks("nasa")) == looks


# What is told of failures


async def test_a_fault_of_our_own_is_called_so_and_keeps_its_details_for_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: Asked) -> Reply:
        raise LookupError("hunter2")

    async with tiktok(broken) as upstream, talking(upstream) as client:
        told = await get(client, "nasa")
        compared = await compare(client, ["nasa", "esa"])

    for answer in (told, compared):
        assert answer["error"].startswith("internal_error: ")
        assert "hunter2" not in answer["error"]
    assert "hunter2" in caplog.text


async def test_a_failure_names_the_account_it_is_about_and_no_other() -> None:
    async with tiktok(unknown_account) as upstream, talking(upstream) as client:
        gone = await get(client, "@Gone")
        remembered = await get(client, "gone")
        upstream.reply = lambda _: quota_spent()
        spent = await get(client, "nasa")

        assert gone["error"].startswith("not_found: @Gone: ")
        assert remembered["error"].startswith("not_found: @gone: ")
        assert "nasa" not in spent["error"]


async def test_calls_that_wait_for_a_token_that_is_refused_are_refused_with_it() -> None:
    async with tiktok() as upstream, service(upstream, max_concurrency=32) as asking:
        no = Reply(401, b'{"error": "invalid_client", "error_description": "no", "log_id": "L"}', delay=0.2)
        upstream.wire.answer_token(*[no] * 50)
        told = await asyncio.gather(*(asking.answer(f"user{n}", FIELDS) for n in range(20)), return_exceptions=True)
        asked = len(upstream.wire.token_requests)
        with pytest.raises(TikTokError):
            await asking.answer("later", FIELDS)

        assert asked == 1
        assert {getattr(error, "status", None) for error in told} == {"auth_failed"}
        assert len({id(error) for error in told}) == 20
        assert len(upstream.wire.token_requests) == 2
        assert upstream.asked == []
