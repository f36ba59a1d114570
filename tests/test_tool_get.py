"""`get_pinned_videos` as a client sees it: in memory, in both protocol eras, with the documented wire behind it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mcp.client import Client

from kit import (
    ERAS,
    EXAMPLE_VIDEOS,
    SECRET,
    Era,
    Reply,
    Upstream,
    ask,
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
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import DEFAULT, NAMES
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.surface.arguments import parse_get

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[Client]:
    async with connected(settings(upstream.url)) as connection:
        yield connection


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


# --- the documentation's own example ------------------------------------------------------------------------------


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


# --- how today's clients fail -------------------------------------------------------------------------------------


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


# --- arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ("nasa", "nasa"),
        (" @NASA ", "NASA"),
        ("https://www.tiktok.com/@nasa/video/7?lang=de", "nasa"),
        (12345, "12345"),
        (123.0, "123"),
        ("12345", "12345"),
        ("null", "null"),
        ("true", "true"),
        ("кошка", "кошка"),
    ],
)
async def test_a_username_is_understood_as_people_write_it(
    upstream: Upstream, era: Era, sent: object, asked: str
) -> None:
    async with connected(settings(upstream.url), era=era) as client:
        answer = await ask(client, sent)

    assert data(answer)["username"] == asked
    assert upstream.research[0].json == {"username": asked}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"username": None},
        {"username": ""},
        {"username": "na sa"},
        {"username": ["nasa"]},
        {"username": {"name": "nasa"}},
        {"username": True},
        {"username": "na\x00sa"},
        {"username": "\u202enasa"},
        {"username": "x" * 65},
        {"username": 10**4000},
        {"username": "https://vm.tiktok.com/ZMabc/"},
        {"username": "nasa", "fields": "views"},
        {"username": "nasa", "fields": ["id", "view_count", "nope"]},
        {"username": "nasa", "fields": 5},
        {"username": "nasa", "fields": {"id": True}},
        {"username": "nasa", "fields": [["id"]]},
        {"username": "nasa", "fields": '["id", "nope"]'},
        {"username": "nasa", "refresh": "maybe"},
        {"username": "nasa", "refresh": 2},
        {"username": "nasa", "refresh": []},
        {"username": "nasa", "refresh": {"a": 10**4000}},
        {"username": "nasa", "refresh": "x" * 100_000},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
async def test_what_cannot_be_meant_is_refused_in_one_sentence_before_any_request(
    upstream: Upstream, era: Era, arguments: dict[str, Any]
) -> None:
    async with connected(settings(upstream.url), era=era) as client:
        answer = await client.call_tool("get_pinned_videos", arguments)
    words = text(answer)

    assert status(answer) == "invalid_argument"
    assert upstream.received == []
    assert words.isprintable()
    assert len(words) < 700
    assert [
        part for part in ("pydantic", "http://", "Traceback", "validation error", "input_value") if part in words
    ] == []


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        (None, [*DEFAULT]),
        ("", [*DEFAULT]),
        ([], [*DEFAULT]),
        ("view_count", ["id", "view_count"]),
        (" view_count , favourites_count ", ["id", "view_count", "favorites_count"]),
        (["view_count", "id"], ["id", "view_count"]),
        ('["view_count"]', ["id", "view_count"]),
        ('"view_count"', ["id", "view_count"]),
        ("null", [*DEFAULT]),
        (list(NAMES), [*NAMES]),
    ],
    ids=repr,
)
async def test_fields_are_sent_as_meant_and_nothing_is_added(
    client: Client, upstream: Upstream, fields: object, asked: list[str]
) -> None:
    answer = await ask(client, fields=fields)
    query = dict(httpx.QueryParams(upstream.research[0].query))

    assert not answer.is_error
    assert set(query) == {"fields"}
    assert sorted(query["fields"].split(",")) == sorted(asked)
    assert " " not in query["fields"]


@pytest.mark.parametrize(
    ("sent", "fresh"),
    [(True, True), (False, False), (None, False), ("true", True), ("False", False), (1, True), (0, False), ("", False)],
)
async def test_refresh_is_understood_as_clients_write_it(upstream: Upstream, sent: object, fresh: bool) -> None:
    async with connected(settings(upstream.url, cache_ttl=300)) as client:
        await ask(client)
        answer = await ask(client, refresh=sent)

    assert data(answer)["cached"] is not fresh
    assert len(upstream.research) == 1 + fresh


@pytest.mark.parametrize("name", ["username", "fields", "refresh"])
def test_a_number_too_long_to_write_is_refused_like_any_other(name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_get({"username": "nasa"} | {name: 10**5000})


async def test_an_unknown_argument_is_ignored_and_told(client: Client) -> None:
    answer = await ask(client, max_count=5, **{"\u202eevil\n": 1})
    about = [note for note in data(answer)["notes"] if "max_count" in note]

    assert len(about) == 1
    assert about[0].isprintable()
    assert about[0] in text(answer)


# --- the cache as one sees it -------------------------------------------------------------------------------------


async def test_a_cached_answer_keeps_its_time_and_log_id_and_costs_nothing(upstream: Upstream) -> None:
    now = [1_795_346_400.0]
    upstream.answer(videos(EXAMPLE_VIDEOS, log_id="FIRST"), videos([], log_id="SECOND"))
    async with connected(settings(upstream.url, cache_ttl=300), clock=lambda: now[0]) as client:
        first = data(await ask(client, "NASA"))
        now[0] += 200
        again = await ask(client, "@nasa")
        fresh = data(await ask(client, "nasa", refresh=True))

    assert (first["cached"], first["retrieved_at"], first["log_id"]) == (False, "2026-11-22T11:20:00Z", "FIRST")
    assert data(again) == first | {"cached": True, "username": "nasa"} | {
        "videos": [{**video, "url": video["url"].replace("NASA", "nasa")} for video in first["videos"]]
    }
    assert [part in text(again) for part in ("2026-11-22T11:20:00Z", "FIRST", "cached")] == [True] * 3
    assert (fresh["cached"], fresh["log_id"], fresh["status"]) == (False, "SECOND", "nothing_pinned")
    assert len(upstream.research) == 2


async def test_a_cached_answer_tells_only_what_was_asked_for(upstream: Upstream) -> None:
    async with connected(settings(upstream.url, cache_ttl=300)) as client:
        await ask(client)
        told = data(await ask(client, fields="view_count"))

    assert told["cached"]
    assert {name for video in told["videos"] for name in video} == {"id", "url", "view_count"}


# --- channels, definitions, sources -------------------------------------------------------------------------------


async def test_text_only_sends_no_structured_content_and_lists_no_output_schema(upstream: Upstream, era: Era) -> None:
    async with connected(settings(upstream.url, result_channels="text"), era=era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        answer = await ask(client)

    assert [tool.output_schema for tool in tools.values()] == [None] * len(tools)
    assert not answer.is_error
    assert answer.structured_content is None
    assert "61676555" in text(answer)


async def test_both_channels_are_the_default_and_the_tool_is_described_truly(client: Client, era: Era) -> None:
    tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "get_pinned_videos")
    hints = tool.annotations

    assert tool.title
    assert tool.output_schema is not None
    assert hints is not None
    assert (hints.read_only_hint, hints.idempotent_hint, hints.open_world_hint, hints.destructive_hint) == (
        True,
        True,
        True,
        False,
    )


async def test_the_instructions_say_what_it_answers_from_where_and_what_it_costs(upstream: Upstream, era: Era) -> None:
    async with connected(settings(upstream.url, daily_quota=77), era=era) as client:
        instructions = client.instructions or ""

    assert [word in instructions for word in ("pinned", "TikTok's Research API", "77", "get_pinned_videos")] == [
        True
    ] * 4
    assert len(instructions.splitlines()) <= 6


async def test_without_credentials_tools_are_listed_and_a_call_says_how_to_go_on(era: Era) -> None:
    async with connected(Settings(), era=era) as client:
        tools = (await client.list_tools()).tools
        answer = await ask(client)

    assert "get_pinned_videos" in {tool.name for tool in tools}
    assert status(answer) == "not_configured"
    assert [part in text(answer) for part in ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "--sandbox")] == [True] * 3


@pytest.mark.parametrize("missing", ["client_key", "client_secret"])
async def test_half_of_the_credentials_is_not_configured(upstream: Upstream, missing: str) -> None:
    async with connected(settings(upstream.url, **{missing: ""})) as client:
        assert status(await ask(client)) == "not_configured"
    assert upstream.received == []


async def test_the_sandbox_answers_without_credentials_and_says_so_in_every_channel(era: Era) -> None:
    async with connected(Settings(sandbox=True), era=era) as client:
        answer = await ask(client)
        failed = await ask(client, "sandbox_missing")
        told = client.instructions or ""

    assert data(answer)["source"] == "sandbox"
    assert "sandbox" in text(answer).casefold()
    assert "sandbox" in text(failed).casefold()
    assert "sandbox" in told


async def test_whoever_answers_with_the_sandbox_header_is_the_sandbox(upstream: Upstream, client: Client) -> None:
    upstream.answer(videos(EXAMPLE_VIDEOS, headers={"X-Sandbox": "tiktok-pinned-videos-mcp"}))
    answer = await ask(client)

    assert data(answer)["source"] == "sandbox"
    assert "SANDBOX" in text(answer)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("sandbox_empty", "nothing_pinned"),
        ("sandbox_missing", "not_found"),
        ("sandbox_private", "refused"),
        ("sandbox_flaky", "found"),
        ("sandbox_quota", "quota_exceeded"),
        ("sandbox_broken", "upstream_error"),
        ("sandbox_hostile", "found"),
    ],
)
async def test_each_name_of_the_sandbox_does_what_it_is_for(name: str, word: str) -> None:
    async with connected(Settings(sandbox=True, timeout=3)) as client:
        answer = await ask(client, name)
        other = await ask(client, "nasa")

    assert (status(answer), status(other)) == (word, "found")


async def test_the_hostile_account_of_the_sandbox_is_harmless_in_both_channels() -> None:
    async with connected(Settings(sandbox=True)) as client:
        answer = await ask(client, "sandbox_hostile", fields=list(NAMES))
    channels = [text(answer), json.dumps(data(answer), ensure_ascii=False)]

    for channel in channels:
        assert (
            re.findall(r"[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f\x00-\x08]", channel)
            == []
        )
        assert channel.count("Untrusted text") == 1
    assert not re.search(
        r"^(?!@|https://\S+\t|total|\d+\t|\? = |Sandbox: |Untrusted text|Long texts )", text(answer), re.MULTILINE
    )


# --- staying up ---------------------------------------------------------------------------------------------------


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
