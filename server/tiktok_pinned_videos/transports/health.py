"""`/healthz` and `/readyz`: for load balancers and orchestrators, without authentication or anything secret."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.research.errors import ConfigurationError
from tiktok_pinned_videos.state.base import StateStoreError

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import PinnedVideosService

HEALTH_PATHS: Final = ("/healthz", "/readyz")
_KEEP: Final = 1.0
_NO_STORE: Final = {"Cache-Control": "no-store"}


def health_routes(backend: Backend) -> list[Route]:
    """Both routes."""
    state = _State()

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"}, headers=_NO_STORE)

    async def readyz(_: Request) -> JSONResponse:
        try:
            service = backend.service()
        except ConfigurationError as error:
            return JSONResponse({"status": "not_ready", "reason": str(error)}, status_code=503, headers=_NO_STORE)
        word = "ok" if await state.serves(service) else "degraded"
        source = "sandbox" if backend.settings.sandbox else "tiktok_research_api"
        return JSONResponse({"status": "ready", "state": word, "source": source}, headers=_NO_STORE)

    return [Route(path, told) for path, told in zip(HEALTH_PATHS, (healthz, readyz), strict=True)]


class _State:
    """Whether the store serves, looked at once a second at most: anybody may ask, and asking writes to it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._looked_at = -_KEEP
        self._serves = True

    async def serves(self, service: PinnedVideosService) -> bool:
        async with self._lock:
            if time.monotonic() - self._looked_at >= _KEEP:
                try:
                    await service.check_state()
                    self._serves = True
                except StateStoreError:
                    self._serves = False
                self._looked_at = time.monotonic()
            return self._serves
