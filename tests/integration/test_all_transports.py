"""The server answers alike in memory, over stdio and over HTTP, in both protocol eras."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextResourceContents

from kit.calls import data, text
from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio


def lasting(result: Any) -> dict[str, Any]:
    """Return the structured content without what differs from one request to the next."""
    return {name: value for name, value in data(result).items() if name not in ("retrieved_at", "log_id")}


async def document(client: Client, uri: str) -> Any:
    [content] = (await client.read_resource(uri, cache_mode="bypass")).contents
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)


async def test_the_requested_era_is_spoken_and_the_server_introduces_itself(
    client: Client, request: pytest.FixtureRequest
) -> None:
    _way, era = request.node.callspec.params["client"]

    assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[era]
    assert client.server_info is not None
    assert client.server_info.name == "tiktok-pinned-videos"
    assert "never means" in (client.instructions or "")


async def test_tools_resources_and_prompts_are_listed_as_in_memory(client: Client) -> None:
    async with Client(build_server(Settings(sandbox=True))) as reference:
        for listing in ("list_tools", "list_resources", "list_resource_templates", "list_prompts"):
            expected, listed = await getattr(reference, listing)(), await getattr(client, listing)()
            transient = {"meta", "ttl_ms", "cache_scope", "result_type"}
            assert listed.model_dump(exclude=transient) == expected.model_dump(exclude=transient)


async def test_an_account_is_answered_as_in_memory_in_both_channels(
    client: Client, request: pytest.FixtureRequest
) -> None:
    # One name per era: a server that was asked before adds `changes`.
    arguments = {"username": f"@nasa_{request.node.callspec.params['client'][1]}", "refresh": True}
    async with Client(build_server(Settings(sandbox=True))) as reference:
        expected = await reference.call_tool("get_pinned_videos", arguments)
    result = await client.call_tool("get_pinned_videos", arguments)

    assert not result.is_error
    assert lasting(result) == lasting(expected)
    assert lasting(result)["source"] == "sandbox"
    assert text(result).splitlines()[1:] == text(expected).splitlines()[1:]


async def test_a_comparison_reports_each_account_as_it_is_done(client: Client) -> None:
    names = ["nasa", "natgeo", "sandbox_empty", "sandbox_missing", "not a name"]
    seen: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        assert message is None or message in names
        seen.append((progress, total))

    result = await client.call_tool("compare_pinned_videos", {"usernames": names}, progress_callback=on_progress)

    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    accounts = data(result)["accounts"]
    statuses = ["found", "found", "nothing_pinned", "not_found", "invalid_argument"]
    assert {account["username"]: account["status"] for account in accounts} == dict(zip(names, statuses, strict=True))
    assert [account.get("rank") for account in accounts] == [1, 2, None, None, None]


async def test_a_failure_is_an_error_without_data_that_begins_with_its_status(client: Client) -> None:
    for username, status in (("sandbox_missing", "not_found"), ("no spaces allowed", "invalid_argument")):
        result = await client.call_tool("get_pinned_videos", {"username": username})

        assert result.is_error
        assert result.structured_content is None
        assert text(result).startswith(f"{status}: ")


async def test_resources_are_read_and_an_account_that_is_not_stored_is_not_found(client: Client) -> None:
    await client.call_tool("get_pinned_videos", {"username": "stored.once"})

    status = await document(client, "tiktok://status")
    assert (status["source"], status["configured"]) == ("sandbox", True)
    assert status["quota"]["used_today"] >= 1
    assert (await document(client, "tiktok://pinned/stored.once"))["username"] == "stored.once"
    with pytest.raises(MCPError, match="get_pinned_videos"):
        await client.read_resource("tiktok://pinned/never_asked")


async def test_usernames_that_were_answered_are_completed(client: Client) -> None:
    await client.call_tool("get_pinned_videos", {"username": "completed_one"})
    of_template = await client.complete(
        ResourceTemplateReference(type="ref/resource", uri="tiktok://pinned/{username}"),
        {"name": "username", "value": "completed_"},
    )
    of_prompt = await client.complete(
        PromptReference(type="ref/prompt", name="compare_creators"), {"name": "usernames", "value": "nasa, completed_"}
    )

    assert of_template.completion.values == ["completed_one"]
    assert [value.rpartition(" ")[2] for value in of_prompt.completion.values] == ["completed_one"]
