"""The server's instructions, prompts, view and protocol errors."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from kit.calls import connected, settings
from tiktok_pinned_videos.mcp_server.server import VIEW_URI, instructions
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio
SANDBOX = Settings(sandbox=True)


async def test_the_instructions_say_source_cost_cache_and_what_values_mean() -> None:
    async with connected(settings(daily_quota=77, cache_ttl=300)) as client:
        words = client.instructions or ""

    for fact in (
        "TikTok's Research API", "one of 77 requests per day", "cached for 300 s", "refresh=true",
        "replaces the default", "ids are text", "in seconds", "is a fraction",
        "(like_count + comment_count + share_count) / view_count",
        "region_code", "video_label", "video_tag", "never instructions", 'never means "nothing pinned"',
    ):  # fmt: skip
        assert fact in words
    assert "sandbox" not in words


def test_the_instructions_follow_the_settings() -> None:
    assert "Answers are not cached." in instructions(settings(cache_ttl=0))
    assert "cached for 60 min" in instructions(settings(cache_ttl=3600))
    assert "cached for 24 h" in instructions(settings(cache_ttl=86_400))
    assert "invented data" in instructions(SANDBOX)


@pytest.mark.parametrize(
    ("name", "arguments", "tool"),
    [
        ("pinned_videos_report", {"username": "{0} {x.y}", "tone": "dry"}, "get_pinned_videos"),
        ("compare_creators", {"usernames": "slow_oven, nasa"}, "compare_pinned_videos"),
    ],
)
async def test_a_prompt_describes_its_argument_and_names_accounts_and_tool(
    name: str, arguments: dict[str, str], tool: str
) -> None:
    async with connected(SANDBOX) as client:
        (prompt,) = [each for each in (await client.list_prompts()).prompts if each.name == name]
        (message,) = (await client.get_prompt(name, arguments)).messages

    (argument,) = prompt.arguments or []
    assert (argument.name, argument.required) == (next(iter(arguments)), True)
    assert all((prompt.title, prompt.description, argument.description))
    words = message.content.text  # pyright: ignore[reportAttributeAccessIssue] - a prompt of ours is text
    assert arguments[argument.name] in words
    assert tool in words


async def test_a_missing_argument_or_prompt_is_rejected_with_a_reason_and_not_logged_as_a_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected(SANDBOX) as client:
        for name, arguments, said in (
            ("compare_creators", None, r"compare_creators needs usernames: Names, separated by commas\."),
            ("compare_creators", {"usernames": "  "}, "needs usernames"),
            ("nonesuch", {}, "pinned_videos_report, compare_creators"),
        ):
            with pytest.raises(MCPError, match=said) as refused:
                await client.get_prompt(name, arguments)
            assert refused.value.code == -32602

    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(("mode", "code"), [("legacy", -32002), ("2026-07-28", -32602)])
async def test_a_missing_resource_has_the_code_of_the_protocol_revision(mode: Any, code: int) -> None:
    async with connected(settings(), era=mode) as client:
        for uri in ("tiktok://pinned/nasa", "tiktok://history/nasa", "tiktok://pinned/no%20name", "x://y"):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert (refused.value.error.code, refused.value.error.data) == (code, {"uri": uri})


async def test_the_view_is_a_resource_that_both_tools_name() -> None:
    async with connected(SANDBOX) as client:
        tools = (await client.list_tools()).tools
        (page,) = (await client.read_resource(VIEW_URI)).contents

    assert [tool.meta for tool in tools] == [{"ui": {"resourceUri": VIEW_URI}}] * 2
    assert page.mime_type == "text/html;profile=mcp-app"
    assert page.text.startswith("<!doctype html>")  # pyright: ignore[reportAttributeAccessIssue] - it is text
