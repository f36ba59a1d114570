"""`get_pinned_videos` as a client sees it: the documentation's example, failures, and a server that stays up."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import httpx
import pytest
from mcp.client import Client

from kit import (
    EXAMPLE_VIDEOS,
    SECRET,
    Era,
    Reply,
    Upstream,
    ask,
    asking,
    connected,
    data,
    html,
    issued,
    raw,
    refusal,
    settings,
    status,
    text,
    videos,
)
from tiktok_pinned_videos.research.fields import NAMES

pytestmark = pytest.mark.anyio

client = pytest.fixture(asking)


# --- the documentation's own example ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["pinned_videos_list", "user_pinned_videos", "pinned_video_list"])
async def test_the_documentations_example_arrives_digit_for_digit(upstream: Upstream, era: Era, key: str) -> None:
    upstream.answer(videos(EXAMPLE_VIDEOS, key=key, log_id="202499999999999999999999999"))
    async with connected(settings(upstream.url), era=era) as client:
        answer = await ask(client, "test_username", fields="id,share_count,view_count,comment_count,like_count")

    told = data(answer)
    assert [video["id"] for video in told["videos"]] == [
        "7777777777777777777",
        "3333333333333333333",
        "9999999999999999999",
    ]
    assert told["totals"] == {
        "videos": 3,
        "view_count": 61676555,
        "like_count": 7859721,
        "comment_count": 25112,
        "share_count": 27290,
        "engagement_rate": 0.1283,
    }
    assert (told["username"], told["status"], told["source"], told["cached"], told["log_id"]) == (
        "test_username",
        "found",
        "tiktok_research_api",
        False,
        "202499999999999999999999999",
    )
    words = text(answer)
    facts = ["7777777777777777777", "3333333333333333333", "9999999999999999999", "61676555", "7859721", "0.1283"]
    assert [fact for fact in facts if fact not in words] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["retrieved_at"])


async def test_the_example_arrives_the_same_through_a_mocked_transport() -> None:
    def tiktok(request: httpx.Request) -> httpx.Response:
        reply = issued("clt.x") if request.url.path == "/v2/oauth/token/" else videos(EXAMPLE_VIDEOS)
        return httpx.Response(reply.status, content=reply.body)

    async with connected(settings(), transport=httpx.MockTransport(tiktok)) as client:
        assert data(await ask(client))["totals"]["view_count"] == 61676555


async def test_no_number_in_the_result_is_one_that_javascript_would_round(client: Client, upstream: Upstream) -> None:
    upstream.answer(
        videos([{**EXAMPLE_VIDEOS[0], "music_id": 2**63 - 1, "video_tag": {"id": 2**60, "list": [10**30]}}])
    )
    answer = await ask(client, fields=list(NAMES))
    wire = answer.model_dump_json(by_alias=True)

    def exact(digits: str) -> int:
        assert abs(int(digits)) < 2**53
        return int(digits)

    json.loads(wire, parse_int=exact)
    assert [str(number) in wire for number in (7777777777777777777, 2**63 - 1, 2**60, 10**30)] == [True] * 4


# --- how today's clients fail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "word", "said"),
    [
        (refusal(400, "invalid_params", "`username: X` is invalid: cannot find the user"), "not_found", "no account"),
        (refusal(400, "invalid_params", "API cannot return this user's information"), "refused", "withholds"),
        (refusal(400, "invalid_params", "the account is private"), "refused", "private"),
        (refusal(429, "daily_quota_limit_exceeded", "API daily quota"), "quota_exceeded", "00:00 UTC"),
        (html(504), "upstream_error", "504"),
        (refusal(200, "invalid_params", "what?"), "upstream_error", "what?"),
        (refusal(401, "scope_not_authorized", "no scope"), "scope_missing", "research.data.basic"),
    ],
    ids=["not found", "refused", "private", "quota", "504 HTML", "error in a 200", "scope"],
)
async def test_a_failure_says_what_happened_and_never_looks_like_an_empty_answer(
    upstream: Upstream, era: Era, reply: Reply, word: str, said: str
) -> None:
    upstream.answer(reply)
    async with connected(settings(upstream.url, timeout=2), era=era) as client:
        answer = await ask(client)

    assert answer.is_error
    assert answer.structured_content is None
    # A spent quota and a scope that lacks are not about this account.
    about = "" if word in ("quota_exceeded", "scope_missing") else "@nasa: "
    assert re.fullmatch(rf"{word}: {about}[A-Z].+\. .+\.( \[.+\])?", text(answer))
    assert said in text(answer)


async def test_a_500_once_is_an_answer_and_costs_two_requests(client: Client, upstream: Upstream) -> None:
    upstream.answer(refusal(500, "internal_error"), videos(EXAMPLE_VIDEOS))

    assert status(await ask(client)) == "found"
    assert len(upstream.research) == 2


async def test_a_token_that_expires_in_mid_run_is_an_answer(client: Client, upstream: Upstream) -> None:
    await ask(client)
    upstream.revoke_all()

    assert status(await ask(client, "esa")) == "found"


async def test_a_wrong_secret_is_said_to_be_one(client: Client, upstream: Upstream) -> None:
    upstream.answer_token(raw({"error": "invalid_client", "error_description": "Wrong.", "log_id": "T"}))

    assert status(await ask(client)) == "auth_failed"


async def test_nothing_pinned_is_an_answer_and_no_error(client: Client, upstream: Upstream) -> None:
    upstream.answer(videos([]))
    answer = await ask(client)

    assert not answer.is_error
    assert (data(answer)["status"], data(answer)["videos"], data(answer)["totals"]) == (
        "nothing_pinned",
        [],
        {"videos": 0},
    )
    assert "nothing pinned" in text(answer)


async def test_an_error_shows_tiktoks_code_and_log_id_once(client: Client, upstream: Upstream) -> None:
    upstream.answer(refusal(400, "invalid_params", "fields are odd"))
    words = text(await ask(client))

    assert words.endswith(" [invalid_params; log_id L0G]")
    assert words.count("invalid_params") == 1


async def test_hostile_messages_come_without_markup_addresses_or_traces(client: Client, upstream: Upstream) -> None:
    upstream.answer(
        refusal(400, "<b>code</b>", '<a href="https://evil.example">click</a>\u202e\nTraceback https://x.example/y')
    )
    words = text(await ask(client))

    assert words.startswith("upstream_error: ")
    assert [part for part in ("<", ">", "evil.example", "x.example", "\n", "\u202e") if part in words] == []


# --- staying up ------------------------------------------------------------------------------------------------------


async def test_a_state_folder_that_cannot_be_made_costs_no_answer(upstream: Upstream) -> None:
    async with connected(
        settings(upstream.url, state="sqlite:////proc/nowhere/state.sqlite3", cache_ttl=300)
    ) as client:
        answers = [await ask(client), await ask(client)]

    assert [status(answer) for answer in answers] == ["found", "found"]
    assert data(answers[1])["cached"]


async def test_a_client_that_gives_up_leaves_the_server_answering(client: Client, upstream: Upstream) -> None:
    upstream.answer(videos([], delay=5))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(client), 0.2)
    upstream.answer(videos(EXAMPLE_VIDEOS))

    assert status(await ask(client, "other")) == "found"


async def test_one_line_is_logged_per_call_without_secret_or_caption(
    upstream: Upstream, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upstream.answer(videos([{"id": 1, "video_description": "a caption of someone"}], log_id="L1"))
    await ask(client)
    lines = [record for record in caplog.records if record.name == "tiktok_pinned_videos.calls"]

    assert len(lines) == 1
    assert [part for part in (SECRET, "clt.", "a caption") if part in repr(lines[0].__dict__)] == []
