"""TikTok's side of the tests: replies per account, and a record of each request (account, time, token).

`upstream` sends and receives the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from kit.upstream import InMemory, Received, Reply, Upstream, refusal, serving, videos
from kit.virtual import is_virtual

SANDBOX = {"X-Sandbox": "tiktok-pinned-videos-mcp"}
_NOWHERE = itertools.count(1)
"""Ports of upstreams in memory: each has an address of its own. Nothing listens there."""
MANY = [f"user{number}" for number in range(50)]


@dataclass
class Asked:
    """One research request as it arrived."""

    username: str
    fields: tuple[str, ...]
    token: str
    number: int  # from 1 on
    arrived: float


class TikTok:
    """A scripted upstream: `reply` says what an account gets, `asked` holds every research request in order."""

    def __init__(self, upstream: Upstream, reply: Callable[[Asked], Reply], latency: float) -> None:
        self.wire = upstream
        self.url = upstream.url or f"http://127.0.0.1:{next(_NOWHERE)}"
        self.transport = None if upstream.url else InMemory(upstream)
        self.reply = reply
        self.latency = latency
        self.asked: list[Asked] = []
        self.first = asyncio.Event()
        upstream.answer_by(self._answer)

    @property
    def names(self) -> list[str]:
        return [asked.username for asked in self.asked]

    @property
    def most_at_once(self) -> int:
        """How many requests were in hand at the same time."""
        starts = [asked.arrived for asked in self.asked]
        return max(sum(start <= moment < start + self.latency for start in starts) for moment in starts)

    def _answer(self, request: Received) -> Reply:
        fields = tuple(parse_qs(request.query)["fields"][0].split(","))
        now = asyncio.get_running_loop().time()
        asked = Asked(request.json["username"], fields, request.token, len(self.asked) + 1, now)
        self.asked.append(asked)
        self.first.set()
        reply = self.reply(asked)
        return replace(reply, delay=reply.delay or self.latency)


@contextlib.asynccontextmanager
async def tiktok(reply: Callable[[Asked], Reply] | None = None, *, latency: float = 0.0) -> AsyncGenerator[TikTok]:
    """One on a loopback port, in virtual time in memory.

    Without `reply` every account has one video with every field that is asked for.
    """
    if is_virtual():
        yield TikTok(Upstream(), reply or pinned, latency)
        return
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


def by_name(**replies: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """These accounts are answered so, all others with one video."""
    return lambda asked: replies.get(asked.username, pinned)(asked)


def quota_spent(**more: Any) -> Reply:
    return refusal(
        429, "daily_quota_limit_exceeded", "The API daily quota limit exceeded. Please try again later", **more
    )


def too_fast(retry_after: str = "", **headers: str) -> Reply:
    headers = ({"Retry-After": retry_after} if retry_after else {}) | headers
    return refusal(429, "rate_limit_exceeded", "The API rate limit was exceeded.", headers=headers)


def unknown_account(asked: Asked) -> Reply:
    return refusal(400, "invalid_params", f"`username: {asked.username}` is invalid: cannot find the user")
