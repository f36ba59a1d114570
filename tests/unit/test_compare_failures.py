"""Comparisons in which something fails: accounts, quotas, time, or the patience of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kit import (
    MANY,
    SANDBOX,
    VIRTUAL_TIME,
    Asked,
    Clock,
    Reply,
    by_name,
    compare,
    html,
    now,
    pinned,
    quota_spent,
    refusal,
    statuses,
    talking,
    tiktok,
    too_fast,
    unknown_account,
    until,
    videos,
)
from tiktok_pinned_videos.research.errors import InternalError, InvalidArgumentError, QuotaExceededError
from tiktok_pinned_videos.service.many import Outcome, ask_many

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]

# Failures


async def test_when_all_fail_the_same_way_the_error_has_that_status_and_names_each() -> None:
    async with tiktok(unknown_account) as upstream, talking(upstream) as client:
        told = await compare(client, ["one", "two"])

        assert told["error"].startswith("not_found: ")
        assert "one: not_found" in told["error"]
        assert "two: not_found" in told["error"]


async def test_when_all_fail_in_different_ways_the_error_is_upstream_error_and_names_each() -> None:
    async with tiktok(lambda _: html(403)) as upstream, talking(upstream) as client:
        upstream.reply = by_name(gone=unknown_account, hidden=lambda _: refusal(403, "x", "no"))
        told = await compare(client, ["gone", "hidden", "no name"])

        assert told["error"].startswith("upstream_error: ")
        for part in ("gone: not_found", "hidden: refused", "no name: invalid_argument"):
            assert part in told["error"]


@pytest.mark.parametrize(
    ("code", "status"), [("scope_not_authorized", "scope_missing"), ("access_token_invalid", "auth_failed")]
)
async def test_a_refusal_that_concerns_every_account_ends_the_asking_but_not_the_telling(
    code: str, status: str
) -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock, max_concurrency=1) as client:
        upstream.reply = by_name(gone=unknown_account, empty=lambda _: videos([]))
        await compare(client, ["gone", "empty", "known"])
        before = len(upstream.asked)
        upstream.reply = lambda _: refusal(401, code)
        told = await compare(client, ["first", "second", "gone", "empty", "known", "third"])

        assert statuses(told) == {
            "known": "found", "empty": "nothing_pinned", "first": status, "second": status, "gone": "not_found",
            "third": status,
        }  # fmt: skip
        # For a token that is not accepted, one renewal and one more try.
        assert upstream.names[before:] == ["first"] * (2 if status == "auth_failed" else 1)


async def test_when_our_own_count_is_reached_cached_accounts_are_still_told() -> None:
    async with tiktok() as upstream, talking(upstream, daily_quota=3, max_concurrency=1) as client:
        await compare(client, ["cached1", "cached2"])
        told = await compare(client, ["new1", "new2", "cached1", "new3", "cached2"])

        assert sorted(statuses(told).items()) == [
            ("cached1", "found"), ("cached2", "found"), ("new1", "found"), ("new2", "quota_exceeded"),
            ("new3", "quota_exceeded"),
        ]  # fmt: skip
        assert upstream.names == ["cached1", "cached2", "new1"]
        assert any("2 of 5 accounts failed" in note for note in told["notes"])
        assert any("3 of 3 requests used today" in note for note in told["notes"])


async def test_a_comparison_that_wants_fresh_answers_is_given_no_old_one_when_the_quota_is_spent() -> None:
    async with tiktok() as upstream, talking(upstream, daily_quota=3, max_concurrency=1) as client:
        await compare(client, ["nasa", "esa", "jaxa"])
        fresh = await compare(client, ["nasa", "esa", "jaxa"], refresh=True)
        known = await compare(client, ["nasa", "esa", "jaxa"])

        assert fresh["error"].startswith("quota_exceeded: ")
        assert list(statuses(known).values()) == ["found"] * 3
        assert len(upstream.asked) == 3


async def test_a_quota_refusal_of_the_sandbox_concerns_one_account_only() -> None:
    script = by_name(sandbox_quota=lambda _: quota_spent(headers=SANDBOX))
    async with tiktok(script) as upstream, talking(upstream, max_concurrency=1) as client:
        told = await compare(client, ["sandbox_quota", "nasa", "esa"])

        assert sorted(statuses(told).items()) == [
            ("esa", "found"),
            ("nasa", "found"),
            ("sandbox_quota", "quota_exceeded"),
        ]


async def test_a_rate_limit_beyond_the_deadline_is_told_at_once_for_all() -> None:
    async with tiktok(lambda _: too_fast("600")) as upstream, talking(upstream) as client:
        started = now()
        told = await compare(client, MANY[:20])

        assert told["error"].startswith("rate_limited: ")
        assert now() - started < 0.1
        assert len(upstream.asked) <= 8


# Time and cancellation


async def test_the_whole_call_ends_within_the_time_that_clients_wait_and_keeps_what_was_answered() -> None:
    slow: Callable[[Asked], Reply] = lambda asked: Reply(200, pinned(asked).body, delay=200)  # noqa: E731
    script = by_name(slow=slow, slower=slow)
    async with tiktok(script) as upstream, talking(upstream, timeout=239, max_concurrency=1) as client:
        started = now()
        told = await compare(client, ["nasa", "slow", "esa", "slower"])

        assert statuses(told) == {"nasa": "found", "slow": "found", "esa": "found", "slower": "timeout"}
        assert now() - started <= 240


async def test_a_cancelled_comparison_sends_nothing_more() -> None:
    async with tiktok(latency=0.5) as upstream, talking(upstream) as client:
        call = asyncio.create_task(compare(client, MANY[:20]))
        await upstream.first.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await until(lambda: not [task for task in asyncio.all_tasks() if "flight" in task.get_name()])

        assert len(upstream.asked) <= 8


async def test_an_error_of_what_is_told_instead_is_that_accounts_outcome_and_nobody_waits_for_ever() -> None:
    spent = QuotaExceededError("spent")

    class Known:
        requests = 0

    async def ask(_: str) -> Known:
        raise spent

    async def fallback(name: str) -> Known | None:
        match name:
            case "bad":
                raise InvalidArgumentError("no name")
            case "worse":
                raise RuntimeError("a surprise")
            case "known":
                return Known()
            case _:
                return None

    async def progress(done: int, outcome: Outcome[Known]) -> None:
        del done, outcome

    async with asyncio.timeout(60):
        outcomes = await ask_many(
            ["first", "bad", "worse", "known", "last"],
            ask=ask, fallback=fallback, max_concurrency=1, time_limit=None, progress=progress,
        )  # fmt: skip

    assert [type(outcome.error) for outcome in outcomes] == [
        QuotaExceededError, InvalidArgumentError, InternalError, type(None), QuotaExceededError,
    ]  # fmt: skip
