"""Many accounts as one call: ranking, statuses, progress, and asking no more than makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kit import (
    MANY,
    SANDBOX,
    VIRTUAL_TIME,
    Asked,
    Clock,
    Reply,
    compare,
    counts,
    data,
    get,
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
    video,
    videos,
)
from tiktok_pinned_videos.accounts.many import Outcome, ask_many
from tiktok_pinned_videos.research.errors import InternalError, InvalidArgumentError, QuotaExceededError

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]


def by_name(**told: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """A script: this reply for this account, one pinned video for all others."""
    return lambda asked: told.get(asked.username, pinned)(asked)


def with_counts(**values: Any) -> Callable[[Asked], Reply]:
    """One video whose values are these; None leaves one out."""
    return lambda asked: videos([{k: v for k, v in video(asked, **values).items() if v is not None}])


# The issue's own numbers


async def test_fifty_accounts_ten_at_once_take_the_ideal_second() -> None:
    told_progress: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        del message
        told_progress.append((progress, total))

    async with tiktok(latency=0.2) as upstream, talking(upstream, max_concurrency=10) as client:
        started = now()
        result = await client.call_tool("compare_pinned_videos", {"usernames": MANY}, progress_callback=on_progress)
        took = now() - started
        again = await compare(client, MANY, rank_by="like_count")

        assert set(statuses(data(result)).values()) == {"found"}
        assert told_progress == [(done, 50) for done in range(1, 51)]
        assert took == pytest.approx(1.0)
        assert upstream.most_at_once == 10
        assert sorted(upstream.names) == sorted(MANY)  # and none for the second ranking
        assert [account["username"] for account in again["accounts"]] == sorted(
            MANY, key=lambda name: counts(name)["like_count"], reverse=True
        )
        assert all(account["cached"] for account in again["accounts"])


@pytest.mark.parametrize("latency", [0.0, 0.02, 0.1])
async def test_of_a_quota_that_ends_in_the_middle_what_was_found_is_kept_and_asking_stops(latency: float) -> None:
    def ends(asked: Asked) -> Reply:
        return pinned(asked) if asked.number <= 10 else quota_spent()

    async with tiktok(ends, latency=latency) as upstream, talking(upstream) as client:
        told = await compare(client, MANY[:30])
        again = await compare(client, MANY[:30], rank_by="share_count")

        assert sorted(statuses(told).values()) == ["found"] * 10 + ["quota_exceeded"] * 20
        assert statuses(again) == statuses(told)
        assert all("00:00 UTC" in account["reason"] for account in told["accounts"] if "reason" in account)
        assert len(upstream.asked) <= 10 + 8  # the refusals that were on their way, eight at once at most


async def test_accounts_from_the_cache_do_not_narrow_the_asking_for_the_rest() -> None:
    async with tiktok() as upstream, talking(upstream, max_concurrency=10) as client:
        await compare(client, MANY[:30])
        upstream.latency, before = 0.15, len(upstream.asked)
        await compare(client, MANY)

        assert len(upstream.asked) == before + 20
        del upstream.asked[:before]
        assert upstream.most_at_once == 10


# What is asked


async def test_an_account_written_three_ways_is_asked_and_told_once() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        told = await compare(client, ["NASA", "@nasa", "https://www.tiktok.com/@Nasa/video/1?lang=en", "esa"])

        assert sorted(upstream.names) == ["NASA", "esa"]
        assert sorted(statuses(told)) == ["NASA", "esa"]


async def test_a_name_in_two_unicode_forms_is_one_account() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        told = await compare(client, ["jos\u00e9", "JOSE\u0301", "esa"])

        assert len(upstream.asked) == 2
        assert list(statuses(told).values()) == ["found", "found"]


@pytest.mark.parametrize(
    "usernames",
    [
        ["nasa", "esa"],
        '["nasa", "esa"]',
        "nasa, @esa",
        "nasa\nesa\n",
        ["nasa", "esa", "nasa", "@ESA", "NaSa"] * 20,
    ],
)
async def test_names_are_understood_however_a_client_sends_a_list(usernames: object) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        told = await compare(client, usernames)

        assert statuses(told) == {"nasa": "found", "esa": "found"}
        assert len(upstream.asked) == 2


async def test_a_name_of_digits_may_come_as_a_number() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        assert sorted(statuses(await compare(client, [123, "esa"]))) == ["123", "esa"]
        assert sorted(upstream.names) == ["123", "esa"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"usernames": ["nasa"]}, "1 distinct account,"),
        ({"usernames": ["nasa", "@NASA", "tiktok.com/@nasa"]}, "1 distinct account,"),
        ({"usernames": []}, "0 distinct accounts"),
        ({"usernames": [*MANY, "one.more"]}, "51 distinct accounts"),
        ({"usernames": None}, "must be a list"),
        ({}, "must be a list"),
        ({"usernames": {"a": 1}}, "must be a list"),
        ({"usernames": ["a", "b"], "rank_by": "likes_count"}, "Did you mean like_count?"),
        ({"usernames": ["a", "b"], "rank_by": 7}, "Valid measures: view_count"),
        ({"usernames": ["a", "b"], "refresh": "perhaps"}, "efresh must be true or false"),
    ],
)
async def test_what_cannot_be_compared_is_refused_in_words_before_any_request(
    arguments: dict[str, Any], said: str
) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        result = await client.call_tool("compare_pinned_videos", arguments)

        assert result.is_error
        text = result.content[0].text  # pyright: ignore[reportAttributeAccessIssue] - an error is one text
        assert text.startswith("invalid_argument: ")
        assert said in text
        assert "pydantic" not in text
        assert upstream.wire.received == []


async def test_an_invalid_name_is_that_accounts_status_and_costs_nothing() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        told = await compare(client, ["a b", "nasa", "x" * 70, "@@esa", None])

        assert len(told["accounts"]) == 5
        assert told["accounts"][0]["username"] == "nasa"
        failed = told["accounts"][1:]
        assert [account["status"] for account in failed] == ["invalid_argument"] * 4
        assert "white space" in failed[0]["reason"]
        assert upstream.names == ["nasa"]


@pytest.mark.parametrize(("odd", "name"), [(None, "null"), (True, "true")])
async def test_a_value_that_is_no_name_does_not_hide_the_account_that_is_written_like_it(
    odd: object, name: str
) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        told = await compare(client, [odd, name])

        assert [account["status"] for account in told["accounts"]] == ["found", "invalid_argument"]
        assert upstream.names == [name]


async def test_progress_counts_distinct_accounts_the_invalid_ones_too() -> None:
    told_progress: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        del message
        told_progress.append((progress, total))

    async with tiktok(by_name(gone=unknown_account)) as upstream, talking(upstream) as client:
        names = ["nasa", "@NASA", "a b", "gone", "esa"]
        await client.call_tool("compare_pinned_videos", {"usernames": names}, progress_callback=on_progress)

        assert told_progress == [(1, 4), (2, 4), (3, 4), (4, 4)]


# Ranking


async def test_accounts_come_ranked_then_unmeasured_then_empty_then_failed_each_in_the_order_asked() -> None:
    script = by_name(
        gone=unknown_account,
        empty=lambda _: videos([]),
        mute=with_counts(share_count=None),
        low=with_counts(share_count=1),
        tie_b=with_counts(share_count=5),
        tie_a=with_counts(share_count=5),
        top=with_counts(share_count=9),
        hidden=lambda _: refusal(400, "invalid_params", "This account is private"),
        zero=with_counts(share_count=0),
    )
    async with tiktok(script) as upstream, talking(upstream) as client:
        names = ["gone", "empty", "mute", "zero", "low", "tie_b", "hidden", "tie_a", "top"]
        told = await compare(client, names, rank_by="share_count")

        assert list(statuses(told).items()) == [
            ("top", "found"), ("tie_b", "found"), ("tie_a", "found"), ("low", "found"), ("zero", "found"),
            ("mute", "found"), ("empty", "nothing_pinned"), ("gone", "not_found"), ("hidden", "refused"),
        ]  # fmt: skip
        assert [account.get("rank") for account in told["accounts"]] == [1, 2, 3, 4, 5, None, None, None, None]
        assert [name for account in told["accounts"] for name in account if account.get("reason")] == [
            "username", "status", "reason",
        ] * 2  # fmt: skip
        mute, empty = told["accounts"][5:7]
        assert "share_count" not in mute["totals"]
        assert "top_video" not in mute
        assert empty["totals"] == {"videos": 0}
        assert [note for note in told["notes"] if "@mute" in note and "share_count" in note]
        assert told["rank_by"] == "share_count"


async def test_a_total_over_some_of_the_videos_says_so_and_is_ranked_by_what_is_known() -> None:
    def partial(asked: Asked) -> Reply:
        return videos([
            video(asked, id=1, view_count=100, like_count=9, comment_count=1, share_count=0),
            {"id": 2, "like_count": 50},
        ])  # fmt: skip

    async with tiktok(by_name(half=partial, full=with_counts(view_count=50))) as upstream, talking(upstream) as client:
        told = await compare(client, ["full", "half"])

        half = told["accounts"][0]
        assert (half["username"], half["totals"]["view_count"], half["top_video"]["id"]) == ("half", 100, "1")
        assert half["totals"]["engagement_rate"] == 0.1  # of the one video that has all four
        assert [note for note in told["notes"] if note.startswith("@half: Total view_count is over 1 of 2 videos")]


@pytest.mark.parametrize(
    ("measure", "best"),
    [
        ("view_count", "1"),
        ("like_count", "2"),
        ("comment_count", "3"),
        ("share_count", "4"),
        ("favorites_count", "5"),
        ("engagement_rate", "6"),
    ],
)
async def test_the_top_video_is_the_highest_by_the_measure_and_tells_it(measure: str, best: str) -> None:
    base = {"view_count": 1000, "like_count": 1, "comment_count": 1, "share_count": 1, "favorites_count": 1}
    items = [
        {"id": 1, **base, "view_count": 9000}, {"id": 2, **base, "like_count": 5},
        {"id": 3, **base, "comment_count": 5}, {"id": 4, **base, "share_count": 5},
        {"id": 5, **base, "favorites_count": 5}, {"id": 6, **base, "view_count": 9},
    ]  # fmt: skip
    async with tiktok(lambda _: videos(items)) as upstream, talking(upstream) as client:
        told = await compare(client, ["a", "b"], rank_by=measure)

        top = told["accounts"][0]["top_video"]
        assert top["id"] == best
        assert top["url"] == f"https://www.tiktok.com/@a/video/{best}"
        assert measure in top
        assert [account["rank"] for account in told["accounts"]] == [1, 2]


async def test_the_british_spelling_of_a_measure_is_understood() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        assert (await compare(client, ["a", "b"], rank_by="favourites_count"))["rank_by"] == "favorites_count"


async def test_the_time_told_is_the_oldest_used() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        await get(client, "old")
        clock.now += 120
        told = await compare(client, ["new", "old"])

        assert told["retrieved_at"] == "2026-06-01T12:00:00Z"
        times = {account["username"]: (account["retrieved_at"], account["cached"]) for account in told["accounts"]}
        assert times == {"old": ("2026-06-01T12:00:00Z", True), "new": ("2026-06-01T12:02:00Z", False)}


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


async def test_a_refreshed_comparison_asks_again_for_each() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await compare(client, ["a", "b"])
        told = await compare(client, ["a", "b"], refresh=True)

        assert len(upstream.asked) == 4
        assert [account["cached"] for account in told["accounts"]] == [False, False]


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

    async with asyncio.timeout(5):
        outcomes = await ask_many(
            ["first", "bad", "worse", "known", "last"],
            ask=ask, fallback=fallback, max_concurrency=1, time_limit=None, progress=progress,
        )  # fmt: skip

    assert [type(outcome.error) for outcome in outcomes] == [
        QuotaExceededError, InvalidArgumentError, InternalError, type(None), QuotaExceededError,
    ]  # fmt: skip


async def test_a_comparison_in_the_sandbox_says_so() -> None:
    async with talking(None, sandbox=True) as client:
        told = await compare(client, ["nasa", "sandbox_missing", "sandbox_empty"])

        assert told["source"] == "sandbox"
        assert told["notes"][0] == "Sandbox: invented data, not TikTok's."
        assert [account["status"] for account in told["accounts"]] == ["found", "nothing_pinned", "not_found"]


async def test_a_comparison_that_wants_fresh_answers_is_given_no_old_one_when_the_quota_is_spent() -> None:
    async with tiktok() as upstream, talking(upstream, daily_quota=3, max_concurrency=1) as client:
        await compare(client, ["nasa", "esa", "jaxa"])
        fresh = await compare(client, ["nasa", "esa", "jaxa"], refresh=True)
        known = await compare(client, ["nasa", "esa", "jaxa"])

        assert fresh["error"].startswith("quota_exceeded: ")
        assert list(statuses(known).values()) == ["found"] * 3
        assert len(upstream.asked) == 3
