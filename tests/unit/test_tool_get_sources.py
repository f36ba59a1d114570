"""Where the answers of `get_pinned_videos` come from and in which channels: TikTok, nowhere, the sandbox."""

from __future__ import annotations

import json
import re

import pytest
from mcp.client import Client

from kit import EXAMPLE_VIDEOS, Era, Upstream, ask, asking, connected, data, settings, status, text, videos
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio

client = pytest.fixture(asking)


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
