"""The server under test as a client sees it: in memory, in either protocol era, with any upstream behind it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Literal

import httpx
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.settings import Settings

Era = Literal["auto", "legacy"]
ERAS: tuple[Era, ...] = ("auto", "legacy")
SECRET = "s3cr3t-Of-The-Project"
KEY = "aw-client-key-7"
SETTINGS = Settings(client_key=KEY, client_secret=SECRET, cache_ttl=0, timeout=10)
"""Credentials, no cache, nothing on disk."""


def settings(upstream: str | None = None, **changes: Any) -> Settings:
    if upstream is not None:
        changes["api_base_url"] = upstream
    return replace(SETTINGS, **changes)


@contextlib.asynccontextmanager
async def connected(
    told: Settings, *, era: Era = "auto", transport: httpx.AsyncBaseTransport | None = None, **more: Any
) -> AsyncGenerator[Client]:
    """A client of a server with these settings, over the SDK's in-memory streams."""
    async with Client(build_server(told, transport=transport, **more), mode=era) as client:
        yield client


async def ask(client: Client, username: object = "nasa", **arguments: Any) -> CallToolResult:
    return await client.call_tool("get_pinned_videos", {"username": username, **arguments})


def text(result: CallToolResult) -> str:
    """The text channel."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def data(result: CallToolResult) -> dict[str, Any]:
    """The structured channel of a success."""
    assert not result.is_error, text(result)
    assert result.structured_content is not None
    return result.structured_content


def status(result: CallToolResult) -> str:
    """The status word of an answer, whichever kind it is."""
    if result.is_error:
        assert result.structured_content is None
        return text(result).partition(":")[0]
    return data(result)["status"]
