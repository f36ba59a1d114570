"""Both tools through MCP: what a call asks, answers, costs and records, and how it fails."""

from __future__ import annotations

import json
import logging
import re

import pytest

from kit.calls import SECRET, ask, compare, connected, data, status, statuses, talking, text
from kit.tiktok import MANY, Asked, by_name, pinned, quota_spent, tiktok, unknown_account, video
from kit.upstream import EXAMPLE_VIDEOS, Reply, html, refusal, videos
from kit.virtual import VIRTUAL_TIME, Clock, now
from tiktok_pinned_videos.research.fields import DEFAULT, NAMES
from tiktok_pinned_videos.settings import Settings

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]


async def test_no_number_of_a_result_is_one_that_javascript_would_round() -> None:
    odd = {**EXAMPLE_VIDEOS[0], "music_id": 2**63 - 1, "video_tag": {"id": 2**60, "list": [10**30]}}
    async with tiktok(lambda _: videos([odd])) as upstream, talking(upstream) as client:
        wire = (await ask(client, fields="all")).model_dump_json(by_alias=True)

    json.loads(wire, parse_int=lambda digits: pytest.fail(digits) if abs(int(digits)) >= 2**53 else int(digits))
    assert [str(number) in wire for number in (2**63 - 1, 2**60, 10**30)] == [True] * 3


async def test_the_fields_asked_for_are_sent_and_nothing_is_added() -> None:
    async with tiktok() as upstream, talking(upstream, cache_ttl=0) as client:
        for fields in (None, "view_count", "all"):
            await ask(client, fields=fields)

        assert [set(asked.fields) for asked in upstream.asked] == [set(DEFAULT), {"id", "view_count"}, set(NAMES)]


async def test_a_cached_answer_costs_nothing_keeps_time_and_log_id_and_has_only_the_fields_asked_for() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        first = data(await ask(client))
        clock.now += 200
        again = data(await ask(client, "@NASA", fields="view_count", limit=3))
        fresh = data(await ask(client, refresh=True))

    assert (again["cached"], again["retrieved_at"], again["log_id"]) == (True, first["retrieved_at"], first["log_id"])
    assert set(again["videos"][0]) == {"id", "url", "view_count"}
    assert again["notes"][-1].startswith("Ignored unknown argument limit")
    assert (fresh["cached"], len(upstream.asked)) == (False, 2)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (refusal(400, "invalid_params", "`username: X` is invalid: cannot find the user"), "not_found"),
        (refusal(400, "invalid_params", "the account is private"), "refused"),
        (html(504), "upstream_error"),
        (refusal(200, "<b>x</b>", '<a href="https://evil.example">click</a>\u202e\nTraceback'), "upstream_error"),
    ],
    ids=["not found", "private", "504 HTML", "hostile message"],
)
async def test_a_failure_is_one_line_of_text_that_never_looks_like_an_empty_answer(reply: Reply, word: str) -> None:
    async with tiktok(lambda _: reply) as upstream, talking(upstream) as client:
        answer = await ask(client)

    assert (answer.is_error, answer.structured_content) == (True, None)
    assert re.fullmatch(rf"{word}: @nasa: [A-Z].+\.( \[TikTok: .+\])?", text(answer))
    assert [part for part in ("<", "evil", "\u202e", SECRET, "clt.", "pydantic") if part in text(answer)] == []


async def test_invalid_arguments_send_nothing() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        for arguments in ({}, {"username": "na sa"}, {"username": "nasa", "fields": "views"}):
            assert status(await client.call_tool("get_pinned_videos", arguments)) == "invalid_argument"
        assert status(await client.call_tool("compare_pinned_videos", {"usernames": ["a"]})) == "invalid_argument"

        assert upstream.wire.received == []


async def test_without_credentials_a_call_says_how_to_set_them() -> None:
    async with connected(Settings()) as client:
        answer = await ask(client)

    assert status(answer) == "not_configured"
    assert [word in text(answer) for word in ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "--sandbox")] == [True] * 3


async def test_a_comparison_asks_each_account_once_with_progress_and_ranks_again_from_the_cache() -> None:
    seen: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        del message
        seen.append((progress, total))

    names = [*MANY[:30], "@USER1", "a b", "gone"]
    script = by_name(gone=unknown_account)
    async with tiktok(script, latency=0.2) as upstream, talking(upstream, max_concurrency=10) as client:
        result = await client.call_tool("compare_pinned_videos", {"usernames": names}, progress_callback=on_progress)
        again = await compare(client, names, rank_by="like_count", limit=3)

    assert seen == [(done, 32) for done in range(1, 33)]
    assert sorted(upstream.names) == sorted([*MANY[:30], "gone"])
    assert upstream.most_at_once == 10
    assert list(statuses(data(result)).values()) == ["found"] * 30 + ["invalid_argument", "not_found"]
    assert all(account["cached"] for account in again["accounts"][:30])
    assert again["notes"][-1].startswith("Ignored unknown argument limit")


async def test_when_the_quota_ends_in_the_middle_found_accounts_are_kept_and_no_more_are_requested() -> None:
    def ends(asked: Asked) -> Reply:
        return pinned(asked) if asked.number <= 10 else quota_spent()

    async with tiktok(ends, latency=0.1) as upstream, talking(upstream) as client:
        result = await compare(client, MANY[:30])
        fresh = await compare(client, MANY[:30], refresh=True)

        assert sorted(statuses(result).values()) == ["found"] * 10 + ["quota_exceeded"] * 20
        assert fresh["error"].startswith("quota_exceeded: ")
        assert len(upstream.asked) <= 10 + 8  # eight requests were on their way


async def test_a_whole_comparison_ends_before_clients_give_up_and_keeps_its_answers() -> None:
    slow = tiktok(lambda asked: Reply(200, pinned(asked).body, delay=200))
    async with slow as upstream, talking(upstream, timeout=239, max_concurrency=1) as client:
        started = now()
        result = await compare(client, ["nasa", "esa"])

        assert statuses(result) == {"nasa": "found", "esa": "timeout"}
        assert now() - started <= 240


async def test_a_call_for_one_account_ends_before_clients_give_up() -> None:
    slow = tiktok(lambda asked: Reply(200, pinned(asked).body, delay=239))
    async with slow as upstream, talking(upstream, timeout=240) as client:
        started = now()

        assert status(await ask(client)) == "timeout"
        assert now() - started < 236


async def test_one_line_is_logged_per_call_without_secret_or_caption(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caption = by_name(nasa=lambda asked: videos([video(asked, video_description="a caption")]))
    async with tiktok(caption) as upstream, talking(upstream) as client:
        await ask(client)
        lines = [record for record in caplog.records if record.name == "tiktok_pinned_videos.calls"]

    assert len(lines) == 1
    assert [part for part in (SECRET, "clt.", "a caption") if part in repr(lines[0].__dict__)] == []
