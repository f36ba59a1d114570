"""The MCP Apps extension: offers the interactive view to hosts that can show it."""

from __future__ import annotations

from typing import Any, Final

from mcp.server.apps import APP_MIME_TYPE, Apps
from mcp.server.mcpserver.resources import FunctionResource

from tiktok_pinned_videos.presentation.view import view_html

VIEW_URI: Final = "ui://tiktok-pinned-videos/view.html"
VIEW_META: Final[dict[str, Any]] = {"ui": {"resourceUri": VIEW_URI}}
"""`_meta` of a tool whose results the view can show."""


def view_extension() -> Apps:
    """The extension with the page as its only resource; the page is read when a host asks for it."""
    apps = Apps()
    apps.add_resource(
        FunctionResource(
            uri=VIEW_URI,
            name="view",
            title="Pinned videos",
            description="Interactive view of both tools' results",
            mime_type=APP_MIME_TYPE,
            fn=view_html,
        )
    )
    return apps
