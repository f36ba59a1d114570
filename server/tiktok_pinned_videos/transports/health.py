"""`/healthz` and `/readyz` for load balancers and orchestrators: no authentication, nothing secret."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.research.errors import ConfigurationError
from tiktok_pinned_videos.state.base import StateStoreError

from .endpoint import refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tiktok_pinned_videos.service.service import PinnedVideosService

HEALTH_PATHS: Final = ("/healthz", "/readyz")
_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks of the store: anyone may ask, and a check writes to the store."""


def health(backend: Backend) -> dict[str, ASGIApp]:
    """Both routes by path."""
    state = _State()

    async def healthz() -> Response:
        return _json(200, {"status": "alive"})

    async def readyz() -> Response:
        try:
            service = backend.service()
        except ConfigurationError as error:
            return _json(503, {"status": "not_ready", "reason": str(error)})
        word = "ok" if await state.works(service) else "degraded"
        source = "sandbox" if backend.settings.sandbox else "tiktok_research_api"
        return _json(200, {"status": "ready", "state": word, "source": source})

    return {"/healthz": _get(healthz), "/readyz": _get(readyz)}


class _State:
    """Whether the store works."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._checked_at = -_CHECK_INTERVAL
        self._works = True

    async def works(self, service: PinnedVideosService) -> bool:
        async with self._lock:
            if time.monotonic() - self._checked_at >= _CHECK_INTERVAL:
                try:
                    await service.check_state()
                    self._works = True
                except StateStoreError:
                    self._works = False
                self._checked_at = time.monotonic()
            return self._works


def _get(answer: Callable[[], Awaitable[Response]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_get = scope["method"] in ("GET", "HEAD")
        response = await answer() if is_get else refusal(405, "Only GET is supported here.", {"Allow": "GET, HEAD"})
        await response(scope, receive, send)

    return app


def _json(status: int, content: dict[str, Any]) -> Response:
    return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})
