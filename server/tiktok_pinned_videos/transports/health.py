"""`/healthz` and `/readyz` for load balancers and orchestrators: no authentication, nothing secret."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.research.errors import ConfigurationError
from tiktok_pinned_videos.state.base import StateStoreError

HEALTH_PATHS: Final = ("/healthz", "/readyz")
_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks of the store: a check writes to it, and clients without a token can cause one."""


def health_routes(backend: Backend) -> list[Route]:
    """Return both routes."""
    lock, checked_at, state = asyncio.Lock(), -_CHECK_INTERVAL, "ok"

    async def healthz(_: Request) -> Response:
        return _json(200, {"status": "alive"})

    async def readyz(_: Request) -> Response:
        nonlocal checked_at, state
        try:
            service = backend.service()
        except ConfigurationError as error:
            return _json(503, {"status": "not_ready", "reason": str(error)})
        async with lock:
            if time.monotonic() - checked_at >= _CHECK_INTERVAL:
                try:
                    await service.check_state()
                    state = "ok"
                except StateStoreError:
                    state = "degraded"
                checked_at = time.monotonic()
        source = "sandbox" if backend.settings.sandbox else "tiktok_research_api"
        return _json(200, {"status": "ready", "state": state, "source": source})

    return [Route(HEALTH_PATHS[0], healthz), Route(HEALTH_PATHS[1], readyz)]


def _json(status: int, content: dict[str, Any]) -> Response:
    return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})
