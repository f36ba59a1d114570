"""Settings, servers and clients in memory, in either protocol era, and the one way to call a tool and read its answer.

A client of a process is had from `processes`; it is called in the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol

import httpx
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from kit.tiktok import TikTok
from kit.upstream import Upstream
from kit.virtual import wall_clock
from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.service.service import PinnedVideosService
from tiktok_pinned_videos.settings import Settings

Era = Literal["auto", "legacy"]
ERAS: tuple[Era, ...] = ("auto", "legacy")
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
"""What each era calls itself on the wire."""
SECRET = "s3cr3t-Of-The-Project"
KEY = "aw-client-key-7"
SETTINGS = Settings(client_key=KEY, client_secret=SECRET, cache_ttl=0, timeout=10)
"""Credentials, no cache, nothing on disk."""


class Addressed(Protocol):
    """An upstream, scripted or not."""

    url: str


def settings(upstream: str | Addressed | None = None, **changes: Any) -> Settings:
    """Those of `SETTINGS` with an upstream of the test, and what the test wants otherwise."""
    if upstream is not None:
        changes["api_base_url"] = upstream if isinstance(upstream, str) else upstream.url
    return replace(SETTINGS, **changes)


@contextlib.asynccontextmanager
async def connected(
    told: Settings, *, era: Era = "auto", transport: httpx.AsyncBaseTransport | None = None, **more: Any
) -> AsyncGenerator[Client]:
    """A client of a server with these settings, over the SDK's in-memory streams."""
    async with Client(build_server(told, transport=transport, **more), mode=era) as client:
        yield client


async def asking(upstream: Upstream) -> AsyncIterator[Client]:
    """A client of a server that asks this upstream: a fixture by `client = pytest.fixture(asking)`."""
    async with connected(settings(upstream)) as client:
        yield client


@contextlib.asynccontextmanager
async def service(
    upstream: TikTok, *, clock: Callable[[], float] | None = None, **changes: Any
) -> AsyncGenerator[PinnedVideosService]:
    """What the tools ask, without MCP around it; with the cache that users have."""
    told = settings(upstream, **({"cache_ttl": 300.0} | changes))
    built = build_service(told, transport=upstream.transport, clock=clock or wall_clock())
    try:
        yield built
    finally:
        await built.aclose()


@contextlib.asynccontextmanager
async def talking(
    upstream: TikTok | None, *, clock: Callable[[], float] | None = None, **changes: Any
) -> AsyncGenerator[Client]:
    """An MCP client of a whole server; with the cache that users have."""
    told = settings(upstream, **({"cache_ttl": 300.0} | changes))
    transport = upstream.transport if upstream is not None else None
    async with connected(told, transport=transport, clock=clock or wall_clock()) as client:
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


async def get(client: Client, username: object, **arguments: Any) -> dict[str, Any]:
    """Structured content of `get_pinned_videos`; of an error its text, under `error`."""
    return structured(await client.call_tool("get_pinned_videos", {"username": username, **arguments}))


async def compare(client: Client, usernames: object, **arguments: Any) -> dict[str, Any]:
    """Structured content of `compare_pinned_videos`; of an error its text, under `error`."""
    return structured(await client.call_tool("compare_pinned_videos", {"usernames": usernames, **arguments}))


def statuses(told: Mapping[str, Any]) -> dict[str, str]:
    """The status of each account of a comparison, in its order."""
    return {account["username"]: account["status"] for account in told["accounts"]}


def structured(result: CallToolResult) -> dict[str, Any]:
    """Structured content; of an error its text, under `error`."""
    if result.is_error:
        assert result.structured_content is None
        return {"error": text(result)}
    return data(result)
