"""`http`: MCP on Streamable HTTP."""

from __future__ import annotations

from tiktok_pinned_videos.settings import Settings

from . import stop


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until told to stop."""
    _ = (settings, host, port)
    stop("http is not built yet")
