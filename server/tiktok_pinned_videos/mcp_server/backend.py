"""What tools and resources use: the settings, and the one service of the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tiktok_pinned_videos.research.errors import ConfigurationError

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import PinnedVideosService
    from tiktok_pinned_videos.settings import Settings

DRAIN: Final = 3.5
"""Seconds for received calls, and for requests already sent, when a server ends."""


class Backend:
    """Builds the service on the first call: a server that only lists its tools loads neither client nor store."""

    def __init__(self, settings: Settings, build: Callable[[Settings], PinnedVideosService]) -> None:
        self.settings = settings
        self._build = build
        self._service: PinnedVideosService | None = None
        self._drain_until = 0.0

    def service(self) -> PinnedVideosService:
        """Return the service. Raises `ConfigurationError` without credentials."""
        if self._service is None:
            if not self.settings.configured:
                raise ConfigurationError("no TikTok credentials are set.")
            self._service = self._build(self.settings)
        return self._service

    def begin_drain(self) -> None:
        """Start the time that requests already sent may take at the end. Only the first call counts."""
        self._drain_until = self._drain_until or time.monotonic() + DRAIN

    async def aclose(self) -> None:
        """Close the service if it was built."""
        service, self._service = self._service, None
        now = time.monotonic()
        if service is not None:
            await service.aclose(drain=max(0.0, (self._drain_until or now + DRAIN) - now))
