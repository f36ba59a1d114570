"""The two prompts: what they ask an assistant to do, and what they say when something is missing."""

from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError

from kit import VIRTUAL_TIME, talking, tiktok

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]


async def test_both_prompts_are_listed_with_descriptions_and_required_arguments() -> None:
    async with talking(None) as client:
        prompts = (await client.list_prompts()).prompts

        assert {prompt.name: [argument.name for argument in prompt.arguments or []] for prompt in prompts} == {
            "pinned_videos_report": ["username"],
            "compare_creators": ["usernames"],
        }
        for prompt in prompts:
            assert prompt.title
            assert prompt.description
            assert all(argument.description and argument.required for argument in prompt.arguments or [])


@pytest.mark.parametrize(
    ("prompt", "arguments", "tool"),
    [
        ("pinned_videos_report", {"username": "slow_oven"}, "get_pinned_videos"),
        ("compare_creators", {"usernames": "slow_oven, nasa"}, "compare_pinned_videos"),
    ],
)
async def test_a_prompt_names_the_accounts_and_the_tool_and_sends_nothing(
    prompt: str, arguments: dict[str, str], tool: str
) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        (message,) = (await client.get_prompt(prompt, arguments)).messages

        assert message.role == "user"
        text = message.content.text  # pyright: ignore[reportAttributeAccessIssue] - a prompt of ours is text
        assert next(iter(arguments.values())) in text
        assert tool in text
        assert upstream.wire.received == []


async def test_braces_in_a_name_are_left_as_they_are() -> None:
    async with talking(None) as client:
        (message,) = (await client.get_prompt("pinned_videos_report", {"username": "{0} {x.y}"})).messages

        assert "{0} {x.y}" in message.content.text  # pyright: ignore[reportAttributeAccessIssue] - as above


@pytest.mark.parametrize("arguments", [None, {}, {"usernames": "  "}, {"username": "nasa"}])
async def test_a_missing_argument_is_told_in_words(arguments: dict[str, str] | None) -> None:
    async with talking(None) as client:
        with pytest.raises(MCPError, match=r"compare_creators needs usernames: Names, separated by commas\.") as told:
            await client.get_prompt("compare_creators", arguments)

        assert told.value.code == -32602


async def test_an_argument_too_many_does_no_harm() -> None:
    async with talking(None) as client:
        (message,) = (await client.get_prompt("pinned_videos_report", {"username": "nasa", "tone": "dry"})).messages

        assert "nasa" in message.content.text  # pyright: ignore[reportAttributeAccessIssue] - as above
