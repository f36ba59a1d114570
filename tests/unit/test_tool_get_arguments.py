"""The arguments of `get_pinned_videos` as clients write them, and its cache as they see it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from mcp.client import Client

from kit import EXAMPLE_VIDEOS, Era, Upstream, ask, asking, connected, data, settings, status, text, videos
from tiktok_pinned_videos.mcp_server.arguments import parse_get
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import DEFAULT, NAMES

pytestmark = pytest.mark.anyio

client = pytest.fixture(asking)


# --- arguments -------------------------------------------------------------------------------------------------------


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


# --- the cache as one sees it ----------------------------------------------------------------------------------------


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
