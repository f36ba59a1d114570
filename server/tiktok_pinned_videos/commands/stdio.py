"""The MCP server on stdin and stdout."""

from __future__ import annotations

import asyncio
import os
import sys

from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.observability.metrics import configure_telemetry
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.handshake import Opening
from tiktok_pinned_videos.transports.stdio import serve_stdio

from . import loaded, stop


def run(settings: Settings, opening: Opening | None) -> None:
    """Serve until the client leaves. `opening`: what it said before all of this was loaded."""
    if sys.__stdin__ is None or sys.__stdout__ is None:
        stop("stdin or stdout is closed: an MCP server talks to its client there. Start it from an MCP client.", 1)
    server = build_server(settings)
    send_rest = configure_telemetry(os.environ)
    loaded()
    try:
        asyncio.run(serve_stdio(server, opening))
    except OSError as fault:
        stop(f"stdin or stdout cannot be used ({fault.strerror or fault}): an MCP server talks to its client there.", 1)
    finally:
        send_rest()
