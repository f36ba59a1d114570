"""What the tools and resources need from the application: the service and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import PinnedVideosService
    from tiktok_pinned_videos.settings import Settings


class Backend(Protocol):
    """The service, built on first use, and how it is configured."""

    @property
    def settings(self) -> Settings:
        """How the server is configured."""
        ...

    def service(self) -> PinnedVideosService:
        """The service. Raises `ConfigurationError` without credentials."""
        ...

    async def aclose(self) -> None:
        """Close the service if it was built."""
        ...
