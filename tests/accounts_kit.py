"""What the tests of many accounts share: a scripted TikTok that counts, a clock that waits, and short ways to ask.

The wire is `upstream`'s; here it is told per account what to say, and keeps when it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from mcp.client import Client

from asking import SETTINGS
from tiktok_pinned_videos.accounts.service import PinnedVideosService
from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.settings import Settings
from upstream import Received, Reply, Upstream, refusal, serving, videos

NOON = 1_780_315_200.0  # 2026-06-01T12:00:00Z
SANDBOX = {"X-Sandbox": "tiktok-pinned-videos-mcp"}
MANY = [f"user{number}" for number in range(50)]


class Clock:
    """Wall time that passes only when told to."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Asked:
    """One research request as it arrived."""

    username: str
    fields: tuple[str, ...]
    token: str
    number: int
    """From 1 on."""
    arrived: float
    refused_at: float | None = None


class TikTok:
    """A scripted upstream: `reply` says what an account gets, `asked` holds every research request in order."""

    def __init__(self, upstream: Upstream, reply: Callable[[Asked], Reply], latency: float) -> None:
        self.wire = upstream
        self.url = upstream.url
        self.reply = reply
        self.latency = latency
        self.asked: list[Asked] = []
        self.first = asyncio.Event()
        """Set when the first research request has arrived."""
        upstream.answer_by(self._answer)

    @property
    def names(self) -> list[str]:
        """Whom the requests were about."""
        return [asked.username for asked in self.asked]

    @property
    def most_at_once(self) -> int:
        """How many requests were in hand at the same time."""
        starts = [asked.arrived for asked in self.asked]
        return max(sum(start <= moment < start + self.latency for start in starts) for moment in starts)

    def after_first_refusal(self) -> int:
        """How many requests arrived after the first refusal had gone out."""
        first = min(asked.refused_at for asked in self.asked if asked.refused_at is not None)
        return sum(asked.arrived > first for asked in self.asked)

    def _answer(self, request: Received) -> Reply:
        fields = tuple(parse_qs(request.query)["fields"][0].split(","))
        now = time.monotonic()
        asked = Asked(request.json["username"], fields, request.token, len(self.asked) + 1, now)
        self.asked.append(asked)
        self.first.set()
        reply = self.reply(asked)
        reply = replace(reply, delay=reply.delay or self.latency)
        if reply.status >= 400:
            asked.refused_at = now + reply.delay
        return reply


@contextlib.asynccontextmanager
async def tiktok(reply: Callable[[Asked], Reply] | None = None, *, latency: float = 0.0) -> AsyncGenerator[TikTok]:
    """One on a loopback port. Without `reply` every account has one video with every field that is asked for."""
    async with serving() as upstream:
        yield TikTok(upstream, reply or pinned, latency)


def counts(username: str) -> dict[str, int]:
    """The statistics of a name's one video: always the same, different for different names."""
    seed = sum(place * code for place, code in enumerate(username.casefold().encode(), start=1)) + 100
    return {"view_count": seed * 100, "like_count": seed * 7, "comment_count": seed, "share_count": 5}


def video(asked: Asked, **values: Any) -> dict[str, Any]:
    """A video as TikTok sends it for these fields."""
    every = {
        "id": 7_000_000_000_000_000_001, "create_time": 1_700_000_000, "video_description": f"By {asked.username}",
        "video_duration": 10, **counts(asked.username), "favorites_count": 7, "hashtag_names": ["one"],
        "region_code": "DE", "music_id": 7_000_000_000_000_000_999, "username": asked.username,
        "is_stem_verified": False,
    }  # fmt: skip
    return {name: value for name, value in (every | values).items() if name in asked.fields}


def pinned(asked: Asked) -> Reply:
    return videos([video(asked)], log_id=f"log-{asked.number}")


def quota_spent(**more: Any) -> Reply:
    return refusal(
        429, "daily_quota_limit_exceeded", "The API daily quota limit exceeded. Please try again later", **more
    )


def too_fast(retry_after: str = "", **headers: str) -> Reply:
    headers = ({"Retry-After": retry_after} if retry_after else {}) | headers
    return refusal(429, "rate_limit_exceeded", "The API rate limit was exceeded.", headers=headers)


def unknown_account(asked: Asked) -> Reply:
    return refusal(400, "invalid_params", f"`username: {asked.username}` is invalid: cannot find the user")


def settings(upstream: TikTok | None = None, **changes: Any) -> Settings:
    url = {} if upstream is None else {"api_base_url": upstream.url}
    return replace(SETTINGS, **({"cache_ttl": 300.0} | url | changes))


@contextlib.asynccontextmanager
async def service(
    upstream: TikTok, *, clock: Callable[[], float] = time.time, **changes: Any
) -> AsyncGenerator[PinnedVideosService]:
    """What the tools ask, without MCP around it."""
    built = build_service(settings(upstream, **changes), clock=clock)
    try:
        yield built
    finally:
        await built.aclose()


@contextlib.asynccontextmanager
async def talking(
    upstream: TikTok | None, *, clock: Callable[[], float] = time.time, **changes: Any
) -> AsyncGenerator[Client]:
    """An MCP client of a whole server."""
    async with Client(build_server(settings(upstream, **changes), clock=clock)) as client:
        yield client


async def get(client: Client, username: object, **arguments: Any) -> dict[str, Any]:
    """Structured content of `get_pinned_videos`; of an error its text, under `error`."""
    return _told(await client.call_tool("get_pinned_videos", {"username": username, **arguments}))


async def compare(client: Client, usernames: object, **arguments: Any) -> dict[str, Any]:
    """Structured content of `compare_pinned_videos`; of an error its text, under `error`."""
    return _told(await client.call_tool("compare_pinned_videos", {"usernames": usernames, **arguments}))


def statuses(told: Mapping[str, Any]) -> dict[str, str]:
    """The status of each account of a comparison, in its order."""
    return {account["username"]: account["status"] for account in told["accounts"]}


def _told(result: Any) -> dict[str, Any]:
    if result.is_error:
        assert result.structured_content is None
        return {"error": result.content[0].text}
    assert result.structured_content is not None
    return result.structured_content
