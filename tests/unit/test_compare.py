"""Many accounts as one call: each asked once, as few as makes sense, with progress, however the names are written."""

from __future__ import annotations

from typing import Any

import pytest

from kit import (
    MANY,
    VIRTUAL_TIME,
    Asked,
    Reply,
    by_name,
    compare,
    counts,
    data,
    now,
    pinned,
    quota_spent,
    statuses,
    talking,
    tiktok,
    unknown_account,
)

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]

# Accounts at once


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


async def test_a_refreshed_comparison_asks_again_for_each() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await compare(client, ["a", "b"])
        told = await compare(client, ["a", "b"], refresh=True)

        assert len(upstream.asked) == 4
        assert [account["cached"] for account in told["accounts"]] == [False, False]


async def test_a_comparison_in_the_sandbox_says_so() -> None:
    async with talking(None, sandbox=True) as client:
        told = await compare(client, ["nasa", "sandbox_missing", "sandbox_empty"])

        assert told["source"] == "sandbox"
        assert told["notes"][0] == "Sandbox: invented data, not TikTok's."
        assert [account["status"] for account in told["accounts"]] == ["found", "nothing_pinned", "not_found"]
