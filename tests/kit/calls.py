"""Settings, servers and clients in memory, in either protocol era, and how to call a tool and read its result."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Literal

import httpx
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from kit.tiktok import TikTok
from kit.upstream import Upstream
from kit.virtual import wall_clock
from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Snapshot, video_from_item
from tiktok_pinned_videos.service.service import Answer, PinnedVideosService
from tiktok_pinned_videos.settings import Settings

Era = Literal["auto", "legacy"]
ERAS: tuple[Era, ...] = ("auto", "legacy")
SECRET = "s3cr3t-Of-The-Project"
KEY = "aw-client-key-7"


def settings(upstream: Upstream | TikTok | None = None, **changes: Any) -> Settings:
    """Settings with credentials, no cache, nothing on disk, an upstream of the test and these changes."""
    given: dict[str, Any] = {"client_key": KEY, "client_secret": SECRET, "cache_ttl": 0, "timeout": 10}
    given |= {"api_base_url": upstream.url} if upstream else {}
    return Settings(**given | changes)


@contextlib.asynccontextmanager
async def connected(
    given: Settings, *, era: Era = "auto", transport: httpx.AsyncBaseTransport | None = None, **more: Any
) -> AsyncGenerator[Client]:
    """Connect a client to a server with these settings, in memory."""
    async with Client(build_server(given, transport=transport, **more), mode=era) as client:
        yield client


@contextlib.asynccontextmanager
async def service(
    upstream: TikTok, *, clock: Callable[[], float] | None = None, **changes: Any
) -> AsyncGenerator[PinnedVideosService]:
    """The service without MCP around it, with the cache that users have."""
    given = settings(upstream, **({"cache_ttl": 300.0} | changes))
    built = build_service(given, transport=upstream.transport, clock=clock or wall_clock())
    try:
        yield built
    finally:
        await built.aclose()


@contextlib.asynccontextmanager
async def talking(
    upstream: TikTok | None, *, clock: Callable[[], float] | None = None, **changes: Any
) -> AsyncGenerator[Client]:
    """Connect a client to a whole server, with the cache that users have."""
    given = settings(upstream, **({"cache_ttl": 300.0} | changes))
    transport = upstream.transport if upstream is not None else None
    async with connected(given, transport=transport, clock=clock or wall_clock()) as client:
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
    """The status of an answer or an error."""
    return structured(result).get("status") or text(result).partition(":")[0]


async def get(client: Client, username: object, **arguments: Any) -> dict[str, Any]:
    """Call `get_pinned_videos`; returns the structured content, or the text of an error under `error`."""
    return structured(await ask(client, username, **arguments))


async def compare(client: Client, usernames: object, **arguments: Any) -> dict[str, Any]:
    """Call `compare_pinned_videos`; returns the structured content, or the text of an error under `error`."""
    return structured(await client.call_tool("compare_pinned_videos", {"usernames": usernames, **arguments}))


def statuses(comparison: Mapping[str, Any]) -> dict[str, str]:
    """The status of each account of a comparison, in its order."""
    return {account["username"]: account["status"] for account in comparison["accounts"]}


def structured(result: CallToolResult) -> dict[str, Any]:
    """The structured content, or the text of an error under `error`."""
    if not result.is_error:
        return data(result)
    assert result.structured_content is None
    return {"error": text(result)}


def answer(*items: dict[str, Any], fields: tuple[str, ...] = NAMES, **changes: Any) -> Answer:
    """What the service returns for an account whose pinned videos TikTok sent like this."""
    facts: dict[str, Any] = {
        "username": "nasa", "fields": fields, "videos": tuple(video_from_item(item, fields) for item in items),
        "retrieved_at": 1_795_346_400.0, "log_id": "L0G", "sandbox": False,
    }  # fmt: skip
    around: dict[str, Any] = {"cached": False, "requests": 1}
    for name, value in changes.items():
        (facts if name in facts else around)[name] = value
    return Answer(Snapshot(**facts), **around)


def account(*items: dict[str, Any], **changes: Any) -> Any:
    """The structured result of that answer, for both channels."""
    return account_answer(answer(*items, **changes))
