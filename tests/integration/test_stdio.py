"""The server as an assistant starts it: conversations in both eras, and whatever else may come in."""

from __future__ import annotations

from typing import Any

import pytest

from kit.processes import STARTS, yardstick
from kit.stdio import ERAS, Era, call, greeted, in_both_ways, line, listing, started
from kit.upstream import EXAMPLE_VIDEOS, serving, videos

pytestmark = pytest.mark.anyio

start = pytest.fixture(params=STARTS, autouse=True)(in_both_ways)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


# --- both eras, end to end -------------------------------------------------------------------------------------------


async def test_the_documentations_example_comes_back_digit_for_digit(era: Era) -> None:
    keys = ["pinned_videos_list", "user_pinned_videos"]
    async with serving() as upstream:
        upstream.answer_by(lambda request: videos(EXAMPLE_VIDEOS, key=request.json["username"]))
        credentials = {"TIKTOK_CLIENT_KEY": "k", "TIKTOK_CLIENT_SECRET": "s"}
        async with started(TIKTOK_API_BASE_URL=upstream.url, **credentials) as server:
            await greeted(server, era)
            results: list[dict[str, Any]] = []
            for number, key in enumerate(keys, start=1):
                server.send(call(number, key, era))
                results.append((await server.answer(number))["result"])
            code, seconds = await server.hang_up()

    for result in results:
        data, text = result["structuredContent"], result["content"][0]["text"]
        assert [video["id"] for video in data["videos"]] == [str(item["id"]) for item in EXAMPLE_VIDEOS]
        assert (data["totals"]["view_count"], data["totals"]["like_count"], data["totals"]["engagement_rate"]) == (
            61676555,
            7859721,
            0.1283,
        )
        facts = [*(str(item["id"]) for item in EXAMPLE_VIDEOS), "61676555", "7859721", "0.1283"]
        assert [fact for fact in facts if fact not in text] == []
    assert (code, seconds < 1 + 10 * yardstick()) == (0, True)


async def test_without_credentials_it_lists_its_tools_and_a_call_says_in_words_what_is_missing(era: Era) -> None:
    async with started(TIKTOK_CLIENT_KEY="${TIKTOK_CLIENT_KEY}", TIKTOK_CLIENT_SECRET="your_client_secret") as server:
        await greeted(server, era)
        server.send(listing(1, era), call(2, "nasa", era))
        tools = (await server.answer(1))["result"]["tools"]
        result = (await server.answer(2))["result"]

    assert {tool["name"] for tool in tools} == {"get_pinned_videos", "compare_pinned_videos"}
    assert result["isError"]
    assert "structuredContent" not in result
    assert result["content"][0]["text"].startswith("not_configured: ")
    assert "--sandbox" in result["content"][0]["text"]


async def test_many_calls_at_once_are_all_answered_and_a_large_answer_is_whole() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(*(call(number, f"user{number}") for number in range(1, 61)))
        for number in range(1, 61):
            if number not in {message.get("id") for message in server.messages}:
                await server.answer(number)
        code, _ = await server.hang_up()

    answered = {message["id"]: message["result"] for message in server.messages if message.get("id")}
    assert set(answered) == set(range(1, 61))
    assert {result["structuredContent"]["status"] for result in answered.values()} == {"found"}
    assert code == 0


# --- what comes in ---------------------------------------------------------------------------------------------------

RUBBISH: dict[str, bytes] = {
    "no JSON": b"this is no JSON\n",
    "half a message": b'{"jsonrpc": "2.0", "id": 7,\n',
    "an empty line": b"\n\n",
    "no UTF-8": b'{"jsonrpc":"2.0","id":7,"method":"\xff\xfe"}\n',
    "a list": b"[]\n",
    "a number": b"5\n",
    "nested without end": b"[" * 100_000 + b"\n",
    "a number without end": b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":' + b"9" * 5000 + b"}}\n",
    "half a surrogate pair": b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\ud83d"}}\n',
}


async def test_rubbish_on_stdin_stops_nothing() -> None:
    told: dict[str, str] = {}
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        for number, (kind, rubbish) in enumerate(RUBBISH.items(), start=1):
            server.send(rubbish, call(number, "nasa"))
            told[kind] = (await server.answer(number))["result"]["structuredContent"]["status"]
        code, _ = await server.hang_up()

    assert told == dict.fromkeys(RUBBISH, "found")
    assert code == 0


async def test_a_line_of_ten_megabytes_is_a_message_like_any_other() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(call(1, "x" * 10_000_000), call(2, "nasa"))
        refused, answered = await server.answer(1), await server.answer(2)
        code, seconds = await server.hang_up()

    assert refused["result"]["content"][0]["text"].startswith("invalid_argument: Username has 10000000 characters")
    assert answered["result"]["structuredContent"]["status"] == "found"
    assert (code, seconds < 1 + 10 * yardstick()) == (0, True)


async def test_a_line_too_long_to_keep_is_dropped_and_the_next_one_answered() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(call(1, "x" * 40_000_000), call(2, "nasa"))
        answered = await server.answer(2)
        code, _ = await server.hang_up()

    assert answered["result"]["structuredContent"]["status"] == "found"
    assert code == 0
    assert len(server.messages) < 20


ODD = [
    {"username": None},
    {"username": 12.0},
    {"username": "a\u0000b"},
    {"username": "nasa", "fields": "[[" * 9999},
    {},
]


async def test_no_arguments_of_any_shape_end_the_server() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        for number, arguments in enumerate([*ODD, None, [], "x"], start=1):
            parameters = {"name": "get_pinned_videos", "arguments": arguments}
            server.send(line({"id": number, "method": "tools/call", "params": parameters}), listing(100 + number))
            await server.answer(100 + number)
        code, _ = await server.hang_up()

    assert code == 0
