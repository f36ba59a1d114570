"""Resources and completion: what is known already, told without a single request."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from kit import (
    KEY,
    SECRET,
    VIRTUAL_TIME,
    Asked,
    Clock,
    Reply,
    compare,
    get,
    service,
    talking,
    tiktok,
    unknown_account,
    video,
    videos,
)
from tiktok_pinned_videos.research.fields import NAMES

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
TEMPLATE = ResourceTemplateReference(uri="tiktok://pinned/{username}")
REPORT = PromptReference(name="pinned_videos_report")
CREATORS = PromptReference(name="compare_creators")


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri, cache_mode="bypass")).contents
    return content.text  # pyright: ignore[reportAttributeAccessIssue] - ours are all text


async def status(client: Client) -> dict[str, Any]:
    return json.loads(await read(client, "tiktok://status"))


async def completed(client: Client, ref: PromptReference | ResourceTemplateReference, value: str) -> list[str]:
    name = "usernames" if ref is CREATORS else "username"
    return (await client.complete(ref, {"name": name, "value": value})).completion.values


async def test_the_field_reference_names_every_field_once() -> None:
    async with talking(None) as client:
        text = await read(client, "tiktok://fields")

        assert [text.count(f"| `{name}` |") for name in NAMES] == [1] * 20


# tiktok://status


async def test_the_status_follows_quota_cache_and_token_and_sends_nothing() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        before = await status(client)
        assert upstream.wire.received == []
        await compare(client, ["nasa", "esa"])
        sent = len(upstream.wire.received)
        after = await status(client)
        clock.now += 7200
        later = await status(client)

        assert before == {
            "source": "tiktok_research_api", "configured": True, "cache_ttl_seconds": 300.0,
            "quota": {
                "used_today": 0, "daily_quota": 1000, "resets_at": "2026-06-02T00:00:00Z", "closed_by_tiktok": False,
            },
            "state": before["state"], "accounts_cached": 0, "token": {"state": "none"},
        }  # fmt: skip
        assert (after["quota"]["used_today"], after["accounts_cached"]) == (2, 2)
        assert after["token"] == {"state": "fresh", "expires_at": "2026-06-01T14:00:00Z"}
        assert (later["accounts_cached"], later["token"]["state"]) == (0, "invalid")
        assert len(upstream.wire.received) == sent


async def test_the_status_holds_no_secret() -> None:
    nobody_there = "redis://:hush-hush@127.0.0.1:1/0"
    async with tiktok() as upstream, talking(upstream, state=nobody_there) as client:
        await get(client, "nasa")
        text = await read(client, "tiktok://status")

        assert "degraded" in text
        for secret in (SECRET, KEY, "clt.", "hush-hush"):
            assert secret not in text


async def test_the_status_says_that_the_sandbox_is_the_source() -> None:
    async with talking(None, sandbox=True) as client:
        assert (await status(client))["source"] == "sandbox"


# tiktok://pinned/{username}


async def test_a_stored_account_is_told_whole_with_every_field_that_was_ever_asked() -> None:
    long = "word " * 200 + "end"

    def wordy(asked: Asked) -> Reply:
        return videos([video(asked, video_description=long + "\u202e\u200b", id=7777777777777777777)])

    async with tiktok(wordy) as upstream, talking(upstream) as client:
        await get(client, "nasa")
        clipped = await get(client, "nasa", fields="video_description,music_id")
        stored = json.loads(await read(client, "tiktok://pinned/nasa"))

        assert clipped["videos"][0]["video_description"].endswith("…")
        assert any("tiktok://pinned/nasa" in note for note in clipped["notes"])
        (told,) = stored["videos"]
        assert told["video_description"] == long
        assert told["id"] == "7777777777777777777"
        assert told["music_id"] == "7000000000000000999"
        assert told["create_time"] == "2023-11-14T22:13:20Z"
        assert told["url"] == "https://www.tiktok.com/@nasa/video/7777777777777777777"
        assert (stored["username"], stored["source"], stored["log_id"]) == (
            "nasa",
            "tiktok_research_api",
            clipped["log_id"],
        )
        assert stored["notes"]
        assert len(upstream.asked) == 2


@pytest.mark.parametrize("name", ["nasa", "日本.語", "ünï_käse", "Ελλάδα", "हिन्दी"])
@pytest.mark.parametrize(
    "written", [lambda name: quote(name, safe=""), lambda name: name, lambda name: quote("@" + name)]
)
async def test_an_account_is_found_however_its_address_is_written(name: str, written: Any) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await get(client, name)

        assert json.loads(await read(client, f"tiktok://pinned/{written(name)}"))["username"] == name
        assert len(upstream.asked) == 1


async def test_an_account_with_nothing_pinned_and_without_a_log_id_has_an_empty_list_and_no_null() -> None:
    async with tiktok(lambda _: videos([], log_id=None)) as upstream, talking(upstream) as client:
        await get(client, "empty")
        stored = json.loads(await read(client, "tiktok://pinned/empty"))

        assert stored["videos"] == []
        assert "log_id" not in stored


async def test_what_is_stored_in_the_sandbox_says_so() -> None:
    async with talking(None, sandbox=True) as client:
        await get(client, "nasa")

        assert json.loads(await read(client, "tiktok://pinned/nasa"))["source"] == "sandbox"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nobody", "Call get_pinned_videos with this username first"),
        ("gone", "Call get_pinned_videos with this username first"),
        ("expired", "Call get_pinned_videos with this username first"),
        ("a%20b", "white space"),
        ("%FF", "U\\+FFFD"),
        ("a%2Ab", "which no username has"),
        ("", "empty"),
    ],
)
async def test_what_is_not_stored_is_a_resource_not_found_in_words_and_sends_nothing(address: str, said: str) -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        await get(client, "expired")
        clock.now += 301
        upstream.reply = unknown_account
        await get(client, "gone")
        sent = len(upstream.wire.received)
        with pytest.raises(MCPError, match=said) as told:
            await read(client, f"tiktok://pinned/{address}")

        assert told.value.code == -32602
        assert len(upstream.wire.received) == sent


# Completion


async def test_names_seen_are_completed_without_regard_to_case_and_at_sign() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        upstream.reply = lambda asked: unknown_account(asked) if asked.username == "nobody" else videos([])
        await compare(client, ["Nasa", "nasa_hq", "esa", "日本", "nobody", "n.x"])
        sent = len(upstream.wire.received)

        assert await completed(client, TEMPLATE, "") == ["esa", "n.x", "nasa", "nasa_hq", "日本"]
        assert await completed(client, TEMPLATE, "NA") == ["nasa", "nasa_hq"]
        assert await completed(client, REPORT, "@nasa_") == ["nasa_hq"]
        assert await completed(client, REPORT, "日") == ["日本"]
        assert await completed(client, REPORT, "n.") == ["n.x"]
        assert await completed(client, REPORT, "nobody") == []
        for strange in ("*", "%", "na sa", "[a-z]", "?", "\\", "x" * 5000, "\u0000"):
            assert await completed(client, TEMPLATE, strange) == []
        assert len(upstream.wire.received) == sent


async def test_the_last_of_several_names_is_completed_and_none_is_offered_twice() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await compare(client, ["nasa", "nasa_hq", "esa"])

        assert await completed(client, CREATORS, "na") == ["nasa", "nasa_hq"]
        assert await completed(client, CREATORS, "esa, na") == ["esa, nasa", "esa, nasa_hq"]
        assert await completed(client, CREATORS, "@NASA,na") == ["@NASA, nasa_hq"]
        assert await completed(client, CREATORS, "nasa, nasa_hq, ") == ["nasa, nasa_hq, esa"]


async def test_no_more_than_a_hundred_names_are_offered() -> None:
    async with tiktok() as upstream, talking(upstream, max_concurrency=32) as client:
        for start in (0, 50, 100):
            await compare(client, [f"user{number}" for number in range(start, start + 50)])

        assert len(await completed(client, TEMPLATE, "user")) == 100


async def test_another_argument_or_prompt_has_no_completions() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await get(client, "nasa")
        told = await client.complete(CREATORS, {"name": "rank_by", "value": ""})

        assert told.completion.values == []


# Without credentials


async def test_without_credentials_everything_answers_and_says_what_to_do() -> None:
    async with talking(None, client_key="", client_secret="") as client:
        told = await status(client)

        assert told["configured"] is False
        assert "TIKTOK_CLIENT_KEY" in told["next"]
        assert "| `id` |" in await read(client, "tiktok://fields")
        assert await completed(client, TEMPLATE, "n") == []
        assert await completed(client, CREATORS, "nasa, e") == []
        with pytest.raises(MCPError, match="Nothing is stored"):
            await read(client, "tiktok://pinned/nasa")
        assert (await compare(client, ["a", "b"]))["error"].startswith("not_configured: ")
        assert (await get(client, "nasa"))["error"].startswith("not_configured: ")


async def test_a_name_is_completed_for_fifteen_days_and_not_longer() -> None:
    clock = Clock()
    async with tiktok() as upstream, service(upstream, clock=clock) as asking:
        await asking.answer("nasa", ("id",))
        clock.now += 15 * 86_400 - 1
        before = await asking.seen("na", limit=9)
        clock.now += 2

        assert before == ["nasa"]
        assert await asking.seen("na", limit=9) == []
