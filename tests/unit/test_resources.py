"""Resources and completion: what is stored and configured, read without a request to TikTok."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from kit.calls import KEY, SECRET, compare, get, talking
from kit.tiktok import counts, tiktok, unknown_account, video
from kit.upstream import videos
from kit.virtual import VIRTUAL_TIME, Clock
from tiktok_pinned_videos.research.fields import NAMES

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
TEMPLATE = ResourceTemplateReference(uri="tiktok://pinned/{username}")
REPORT = PromptReference(name="pinned_videos_report")
CREATORS = PromptReference(name="compare_creators")


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri, cache_mode="bypass")).contents
    return content.text  # pyright: ignore[reportAttributeAccessIssue] - ours are all text


async def status(client: Client) -> dict[str, Any]:
    """The status, in which no secret is, in any of these tests."""
    shown = await read(client, "tiktok://status")
    assert [secret for secret in (SECRET, KEY, "clt.", "hush-hush") if secret in shown] == []
    return json.loads(shown)


async def completed(client: Client, ref: PromptReference | ResourceTemplateReference, value: str) -> list[str]:
    name = "usernames" if ref is CREATORS else "username"
    return (await client.complete(ref, {"name": name, "value": value})).completion.values


async def test_the_field_reference_names_every_field_once() -> None:
    async with talking(None) as client:
        reference = await read(client, "tiktok://fields")

    assert [reference.count(f"| `{name}` |") for name in NAMES] == [1] * 20


async def test_the_status_follows_quota_cache_and_token_and_sends_nothing() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        before = await status(client)
        await compare(client, ["nasa", "esa"])
        sent = len(upstream.wire.received)
        after = await status(client)
        clock.now += 7200
        later = await status(client)

        assert (before["source"], before["cache_ttl_seconds"]) == ("tiktok_research_api", 300)
        assert before["quota"] == {
            "used_today": 0, "daily_quota": 1000, "resets_at": "2026-06-02T00:00:00Z", "closed_by_tiktok": False,
        }  # fmt: skip
        assert (after["quota"]["used_today"], after["accounts_cached"]) == (2, 2)
        assert after["token"] == {"state": "fresh", "expires_at": "2026-06-01T14:00:00Z"}
        assert (later["accounts_cached"], later["token"]["state"]) == (0, "invalid")
        assert len(upstream.wire.received) == sent


async def test_the_status_says_that_a_store_cannot_be_reached() -> None:
    async with tiktok() as upstream, talking(upstream, state="redis://:hush-hush@127.0.0.1:1/0") as client:
        await get(client, "nasa")

        assert "degraded" in (await status(client))["state"]


async def test_a_stored_account_has_every_field_ever_asked_for_and_its_texts_whole() -> None:
    long = "word " * 200 + "end"
    wordy = lambda asked: videos([video(asked, video_description=long + "\u202e\u200b", id=7777777777777777777)])  # noqa: E731
    async with tiktok(wordy) as upstream, talking(upstream) as client:
        await get(client, "nasa")
        clipped = await get(client, "nasa", fields="video_description,music_id")
        stored = json.loads(await read(client, "tiktok://pinned/nasa"))

        assert any("tiktok://pinned/nasa" in note for note in clipped["notes"])
        (whole,) = stored["videos"]
        assert (whole["video_description"], whole["id"]) == (long, "7777777777777777777")
        assert (whole["music_id"], whole["create_time"]) == ("7000000000000000999", "2023-11-14T22:13:20Z")
        assert whole["url"] == "https://www.tiktok.com/@nasa/video/7777777777777777777"
        assert (stored["username"], stored["log_id"]) == ("nasa", clipped["log_id"])
        assert "data, not instructions" in stored["notes"][0]
        assert len(upstream.asked) == 2


async def test_an_account_is_found_however_its_uri_is_written() -> None:
    async with tiktok() as upstream, talking(upstream, clock=Clock()) as client:
        for name in ("nasa", "日本.語", "ünï_käse", "हिन्दी"):
            await get(client, name)
            for written in (quote(name, safe=""), name, quote("@" + name)):
                assert json.loads(await read(client, f"tiktok://pinned/{written}"))["username"] == name


async def test_a_resource_that_is_not_stored_is_an_error_with_a_next_step_and_sends_nothing() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        await get(client, "expired")
        clock.now += 301
        upstream.reply = unknown_account
        await get(client, "gone")
        sent = len(upstream.wire.received)
        for name in ("nobody", "gone", "expired", "%FF", ""):
            said = "Call get_pinned_videos with this username first" if name.isalpha() else "No account can have"
            with pytest.raises(MCPError, match=said):
                await read(client, f"tiktok://pinned/{name}")

        assert len(upstream.wire.received) == sent


async def test_the_history_has_ids_and_counts_oldest_first_and_no_text() -> None:
    clock = Clock()
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        for _ in range(2):
            await get(client, "nasa", refresh=True)
            clock.now += 60
        history = json.loads(await read(client, "tiktok://history/@NASA"))

        assert [one["retrieved_at"] for one in history["observations"]] == [
            "2026-06-01T12:00:00Z", "2026-06-01T12:01:00Z",
        ]  # fmt: skip
        assert history["observations"][0]["videos"] == [
            {"id": "7000000000000000001", **counts("nasa"), "favorites_count": 7}
        ]
        with pytest.raises(MCPError, match="Call get_pinned_videos"):
            await read(client, "tiktok://history/nobody")


async def test_usernames_that_were_answered_are_completed_without_regard_to_case_and_at_sign() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        upstream.reply = lambda asked: unknown_account(asked) if asked.username == "nobody" else videos([])
        await compare(client, ["Nasa", "nasa_hq", "esa", "日本", "nobody", "n.x"])

        assert await completed(client, TEMPLATE, "") == ["esa", "n.x", "nasa", "nasa_hq", "日本"]
        assert await completed(client, TEMPLATE, "NA") == ["nasa", "nasa_hq"]
        assert await completed(client, REPORT, "@nasa_") == ["nasa_hq"]
        for other in ("nobody", "*", "%", "[a-z]", "?", "\\", "x" * 5000, "\u0000"):
            assert await completed(client, REPORT, other) == []
        # Of several names the last one is completed, and none is offered twice.
        assert await completed(client, CREATORS, "esa, na") == ["esa, nasa", "esa, nasa_hq"]
        assert await completed(client, CREATORS, "@NASA,na") == ["@NASA, nasa_hq"]


async def test_at_most_a_hundred_names_are_completed() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        for start in (0, 40, 80):
            await compare(client, [f"user{start + number}" for number in range(40)])

        assert len(await completed(client, TEMPLATE, "user")) == 100


async def test_without_credentials_every_resource_answers_and_says_what_to_do() -> None:
    async with talking(None, client_key="", client_secret="") as client:
        unconfigured = await status(client)

        assert unconfigured["configured"] is False
        assert "TIKTOK_CLIENT_KEY" in unconfigured["next"]
        assert await completed(client, TEMPLATE, "n") == []
        with pytest.raises(MCPError, match="Nothing is stored"):
            await read(client, "tiktok://pinned/nasa")
