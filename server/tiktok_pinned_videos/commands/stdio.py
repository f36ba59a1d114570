"""The MCP server on stdin and stdout."""

from __future__ import annotations

import os
from functools import partial

import anyio

from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.mcp_server.backend import DRAIN, Backend
from tiktok_pinned_videos.observability.logs import notice
from tiktok_pinned_videos.observability.telemetry import configure_telemetry
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.handshake import Input
from tiktok_pinned_videos.transports.stdio import serve_stdio

from . import loaded, stop


def run(settings: Settings, stdin: Input | None) -> None:
    """Serve until the client leaves. `stdin`: read already, since the start of the process."""
    if stdin is None:
        stop("stdin or stdout is closed: an MCP server talks to its client there. Start it from an MCP client.", 1)
    if os.isatty(stdin.descriptor):
        notice(
            "This is an MCP server: it waits for messages of an MCP client on stdin (end it with Ctrl-C). "
            "To ask for an account yourself, type: tiktok-pinned-videos-mcp get nasa --sandbox"
        )
    backend = Backend(settings, build_service)
    server = build_server(settings, backend=backend)
    stop_telemetry = configure_telemetry(os.environ)
    loaded()
    try:
        # As anyio's own loop: otherwise anyio searches for the kind of loop at every step of a call.
        anyio.run(partial(serve_stdio, server, stdin, drain=DRAIN, stopping=backend.begin_drain))
    except OSError as fault:
        stop(f"stdin or stdout cannot be used ({fault.strerror or fault}): an MCP server talks to its client there.", 1)
    finally:
        stop_telemetry()
