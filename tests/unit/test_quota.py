"""The day's requests: counted before they are sent, kept through restarts, and a closed day that stays closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from kit.calls import compare, get, service, statuses, talking
from kit.tiktok import MANY, SANDBOX, Asked, by_name, pinned, quota_spent, tiktok, too_fast, unknown_account
from kit.upstream import Reply, html, refusal
from kit.virtual import NOON, VIRTUAL_TIME, Clock, now
from tiktok_pinned_videos.research.budget import Reservation
from tiktok_pinned_videos.research.errors import QuotaExceededError
from tiktok_pinned_videos.service.caller import CALLER

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
HOUR = 3600.0


async def quota(client: Client) -> dict[str, Any]:
    """What `tiktok://status` says of the quota."""
    (content,) = (await client.read_resource("tiktok://status", cache_mode="bypass")).contents
    return json.loads(content.text)["quota"]  # pyright: ignore[reportAttributeAccessIssue] - JSON is text


def status_of(answer: dict[str, Any]) -> str:
    return answer["error"].partition(":")[0] if "error" in answer else answer["status"]


async def test_a_callers_share_is_of_one_day() -> None:
    clock, before = Clock(), CALLER.set("alice")
    async with tiktok() as upstream, service(upstream, clock=clock, caller_quota=1) as asking:
        await asking.answer("nasa", ("id",))
        with pytest.raises(QuotaExceededError, match="your share of 1 requests"):
            await asking.answer("esa", ("id",))
        clock.now += 24 * HOUR
        await asking.answer("esa", ("id",))
    CALLER.reset(before)


async def test_a_caller_without_a_share_does_not_use_up_the_probe_of_a_closed_day() -> None:
    clock, before = Clock(), CALLER.set("alice")
    async with tiktok() as upstream, service(upstream, clock=clock, caller_quota=1) as asking:
        await asking.answer("nasa", ("id",))
        await asking.ledger.refused(Reservation(datetime.fromtimestamp(clock.now, UTC).date()))
        clock.now += HOUR
        with pytest.raises(QuotaExceededError, match="your share"):
            await asking.answer("esa", ("id",))
        CALLER.set("bob")
        await asking.answer("esa", ("id",))
        assert upstream.names == ["nasa", "esa"]
    CALLER.reset(before)


# The quota that TikTok reports as spent


async def test_when_tiktok_says_the_quota_is_spent_only_cached_answers_are_returned_that_day(clock: Clock) -> None:
    async with tiktok() as upstream, talking(upstream, clock=clock, cache_ttl=2 * HOUR) as client:
        await get(client, "cached")
        upstream.reply = lambda _: quota_spent()
        refused = await get(client, "nasa")
        clock.now += HOUR - 1
        later, compared = await get(client, "esa"), await compare(client, ["esa", "cached"])

        assert "daily_quota_limit_exceeded" in refused["error"]
        for answer in (refused, later):
            assert status_of(answer) == "quota_exceeded"
            assert "00:00 UTC" in answer["error"]
        assert statuses(compared) == {"cached": "found", "esa": "quota_exceeded"}
        assert upstream.names == ["cached", "nasa"]
        assert await quota(client) == {
            "used_today": 2, "daily_quota": 1000, "resets_at": "2026-06-02T00:00:00Z", "closed_by_tiktok": True,
        }  # fmt: skip


@pytest.mark.parametrize(("reply", "status"), [(pinned, "found"), (unknown_account, "not_found")])
async def test_one_probe_an_hour_finds_out_whether_the_day_is_open_again(
    clock: Clock, reply: Callable[[Asked], Reply], status: str
) -> None:
    async with tiktok(lambda _: quota_spent()) as upstream, talking(upstream, clock=clock) as client:
        await get(client, "nasa")
        for hour in (1, 2, 3):
            clock.now = NOON + hour * HOUR
            answers = await asyncio.gather(*(get(client, name) for name in MANY[:10]))

            assert {status_of(answer) for answer in answers} == {"quota_exceeded"}
            assert len(upstream.asked) == 1 + hour
        upstream.reply = by_name(probe=reply)
        clock.now += HOUR
        probed = await get(client, "probe")
        after = await compare(client, MANY[:5])

        assert status_of(probed) == status
        assert set(statuses(after).values()) == {"found"}
        assert (await quota(client))["closed_by_tiktok"] is False


@pytest.mark.parametrize(
    "fault", [html(403), refusal(400, "invalid_params", "bad"), refusal(401, "scope_not_authorized")]
)
async def test_a_probe_that_meets_a_fault_leaves_the_day_closed(fault: Reply, clock: Clock) -> None:
    async with tiktok(lambda _: quota_spent()) as upstream, talking(upstream, clock=clock) as client:
        await get(client, "nasa")
        clock.now += HOUR
        upstream.reply = lambda _: fault
        await get(client, "esa")
        sent = len(upstream.asked)
        upstream.reply = pinned

        assert status_of(await get(client, "nasa")) == "quota_exceeded"
        assert len(upstream.asked) == sent


async def test_a_success_that_was_on_its_way_when_the_day_closed_does_not_open_it_again() -> None:
    def slow_then_spent(asked: Asked) -> Reply:
        if asked.number == 1:
            return Reply(200, pinned(asked).body, delay=0.2)
        return quota_spent()

    async with tiktok(slow_then_spent) as upstream, talking(upstream) as client:
        early = asyncio.create_task(get(client, "early"))
        await upstream.first.wait()
        refused = await get(client, "refused")
        assert status_of(await early) == "found"
        later = await get(client, "later")

        assert (status_of(refused), status_of(later)) == ("quota_exceeded", "quota_exceeded")
        assert upstream.names == ["early", "refused"]


async def test_a_changed_daily_quota_opens_the_day_at_once(tmp_path: Path, clock: Clock) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with tiktok(lambda _: quota_spent()) as upstream:
        async with talking(upstream, clock=clock, state=state) as client:
            await get(client, "nasa")
        async with talking(upstream, clock=clock, state=state) as client:
            assert status_of(await get(client, "nasa")) == "quota_exceeded"
            assert len(upstream.asked) == 1
        upstream.reply = pinned
        async with talking(upstream, clock=clock, state=state, daily_quota=2000) as client:
            answer = await get(client, "nasa")

            assert status_of(answer) == "found"
            assert len(upstream.asked) == 2


async def test_midnight_in_utc_opens_the_day_and_resets_the_count() -> None:
    clock = Clock(NOON + 12 * HOUR - 30)
    async with tiktok() as upstream, talking(upstream, clock=clock, daily_quota=2, cache_ttl=0) as client:
        await get(client, "one")
        upstream.reply = lambda _: quota_spent()
        await get(client, "two")
        clock.now += 29
        closed = await get(client, "three")
        upstream.reply = pinned
        clock.now += 1
        answer = await get(client, "four")

        assert status_of(closed) == "quota_exceeded"
        assert status_of(answer) == "found"
        assert await quota(client) == {
            "used_today": 1, "daily_quota": 2, "resets_at": "2026-06-03T00:00:00Z", "closed_by_tiktok": False,
        }  # fmt: skip


# Our own count


async def test_our_own_count_ends_the_day_before_anything_is_sent(clock: Clock) -> None:
    async with tiktok() as upstream, talking(upstream, clock=clock, daily_quota=3) as client:
        answer = await compare(client, MANY[:10])
        after = await get(client, "nasa")

        assert sorted(statuses(answer).values()) == ["found"] * 3 + ["quota_exceeded"] * 7
        assert "TIKTOK_DAILY_QUOTA" in after["error"]
        assert "00:00 UTC" in after["error"]
        assert len(upstream.asked) == 3


async def test_a_retry_that_the_quota_does_not_allow_is_not_sent() -> None:
    async with tiktok(lambda _: html(504)) as upstream, talking(upstream, daily_quota=2) as client:
        answer = await get(client, "nasa")

        assert status_of(answer) == "quota_exceeded"
        assert len(upstream.asked) == 2


async def test_the_request_sent_again_with_a_new_token_is_counted_and_token_requests_are_not() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await get(client, "nasa")
        upstream.wire.revoke_all()
        answer = await get(client, "esa")

        assert status_of(answer) == "found"
        assert len(upstream.wire.research) == 3
        assert len(upstream.wire.token_requests) == 2
        assert (await quota(client))["used_today"] == 3


async def test_a_failed_request_is_counted_and_one_never_sent_is_not() -> None:
    async with tiktok(unknown_account) as upstream, talking(upstream) as client:
        await get(client, "gone")
        await get(client, "gone")
        await get(client, "no name")
        await get(client, "nasa", fields="no_field")
        upstream.reply = lambda _: refusal(400, "invalid_params", "bad")
        await get(client, "nasa")

        assert (await quota(client))["used_today"] == len(upstream.asked) == 2


async def test_an_answer_carries_a_note_from_eighty_percent_on() -> None:
    async with tiktok() as upstream, talking(upstream, daily_quota=10) as client:
        await compare(client, MANY[:6])
        before = await get(client, "seventh")
        at = await get(client, "eighth")
        cached = await get(client, "seventh")
        compared = await compare(client, ["eighth", "ninth"])

        assert not [note for note in before["notes"] if "Quota" in note]
        for answer, used in ((at, 8), (cached, 8), (compared, 9)):
            (note,) = [note for note in answer["notes"] if note.startswith("Quota")]
            assert note == f"Quota: {used} of 10 requests used today; it resets at 2026-06-02 00:00 UTC."


# Simulated refusals


async def test_refusals_of_the_sandbox_close_no_day_and_pause_no_call() -> None:
    def rehearsed(asked: Asked) -> Reply:
        headers = {"Content-Type": "application/json", **SANDBOX}
        match asked.username:
            case "sandbox_quota":
                return quota_spent(headers=headers)
            case "sandbox_limited":
                return too_fast("50", **SANDBOX)
            case _:
                return pinned(asked)

    async with tiktok(rehearsed) as upstream, talking(upstream) as client:
        spent, limited = await get(client, "sandbox_quota"), await get(client, "sandbox_limited")
        answer = await get(client, "nasa")

        assert (status_of(spent), status_of(limited)) == ("quota_exceeded", "rate_limited")
        assert status_of(answer) == "found"
        assert (await quota(client))["closed_by_tiktok"] is False


# The pause after a short-term limit


async def test_after_a_rate_limit_all_calls_wait() -> None:
    def once(asked: Asked) -> Reply:
        return too_fast("1") if asked.number == 1 else pinned(asked)

    async with tiktok(once) as upstream, talking(upstream) as client:
        first = asyncio.create_task(get(client, "first"))
        await upstream.first.wait()
        await asyncio.sleep(0.1)
        others = await asyncio.gather(*(get(client, name) for name in MANY[:5]))

        assert {status_of(answer) for answer in (await first, *others)} == {"found"}
        assert len(upstream.asked) == 7
        limited, *rest = upstream.asked
        assert min(asked.arrived for asked in rest) - limited.arrived >= 0.99


async def test_a_pause_beyond_the_deadline_is_reported_at_once_and_for_at_most_a_minute(clock: Clock) -> None:
    async with tiktok(lambda _: too_fast("3600")) as upstream, talking(upstream, clock=clock) as client:
        started = now()
        answers = [await get(client, "nasa"), await get(client, "esa")]
        took = now() - started
        clock.now += 61
        upstream.reply = pinned

        assert [status_of(answer) for answer in answers] == ["rate_limited", "rate_limited"]
        assert upstream.names == ["nasa"]
        assert took < 2
        assert status_of(await get(client, "nasa")) == "found"


async def test_a_pause_is_of_all_servers_and_a_clock_put_back_does_not_prolong_it(tmp_path: Path, clock: Clock) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with (
        tiktok(lambda _: too_fast("50")) as upstream,
        talking(upstream, state=state, clock=clock) as one,
        talking(upstream, state=state, clock=clock) as other,
    ):
        await get(one, "nasa")
        upstream.reply = pinned
        paused = await get(other, "esa")
        clock.now -= HOUR

        assert status_of(paused) == "rate_limited"
        assert status_of(await get(other, "esa")) == "found"
        assert upstream.names == ["nasa", "esa"]
