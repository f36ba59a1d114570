"""The protocol between the tools and the application: the service and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import PinnedVideosService
    from tiktok_pinned_videos.settings import Settings


class Backend(Protocol):
    """The service, built on first use, and the settings."""

    @property
    def settings(self) -> Settings:
        """The settings of the server."""
        ...

    def service(self) -> PinnedVideosService:
        """The service. Raises `ConfigurationError` without credentials."""
        ...

    async def aclose(self) -> None:
        """Close the service if it was built."""
        ...
