"""The sandbox inside an httpx client: no socket, no port. Knows httpx and the upstream's bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx

from .protocol import Request
from .upstream import SandboxUpstream


class SandboxTransport(httpx.AsyncBaseTransport):
    """Answers whatever host is asked; nothing leaves the process.

    `clock` gives Unix time in seconds, `latency` is the seconds every answer takes. An answer that takes longer than
    the request's read timeout raises `httpx.ReadTimeout` when that has passed, as the network would. `upstream` is
    there for those who want to revoke its tokens.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, latency: float = 0.0) -> None:
        self.upstream = SandboxUpstream(clock=clock, latency=latency)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Play TikTok for one request."""
        reply = self.upstream.answer(
            Request(
                method=request.method,
                path=request.url.path,
                query=request.url.query.decode("ascii"),
                headers=dict(request.headers),
                body=await request.aread(),
            )
        )
        if reply.delay:
            patience: float | None = request.extensions.get("timeout", {}).get("read")
            if patience is not None and patience < reply.delay:
                await asyncio.sleep(patience)
                raise httpx.ReadTimeout("the sandbox takes longer than the read timeout", request=request)
            await asyncio.sleep(reply.delay)
        return httpx.Response(
            reply.status,
            headers=reply.headers,
            stream=httpx.ByteStream(reply.body),
            extensions={"http_version": b"HTTP/1.1"},
        )
