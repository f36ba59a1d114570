"""`http`: MCP on Streamable HTTP."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import cast

import click
from mcp.server.mcpserver import MCPServer

from tiktok_pinned_videos.app import LazyBackend, build_server
from tiktok_pinned_videos.observability.metrics import configure_telemetry
from tiktok_pinned_videos.serving import listen
from tiktok_pinned_videos.settings import Channels, Settings
from tiktok_pinned_videos.transports.auth import AuthenticationSettingsError, authentication_for
from tiktok_pinned_videos.transports.guard import PATH
from tiktok_pinned_videos.transports.http import address_of, build_app, is_only_here, serve

from . import loaded, stop


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until told to stop; what is in flight then is answered."""
    try:
        listener = listen(host, port)
    except OSError as error:
        stop(f"{host} port {port} cannot be opened: {error.strerror or error}. Choose others by --host and --port.", 1)
    with listener:
        only_here = is_only_here(listener)
        try:
            authentication = authentication_for(settings, loopback=only_here)
        except AuthenticationSettingsError as error:
            stop(str(error))
        send_rest = configure_telemetry(os.environ)
        address, bound = address_of(listener)
        backend = LazyBackend(settings, transport=None, clock=time.time)
        if settings.configured:
            # A server is started once and called often: load now what the first call would wait for.
            backend.service()

        def build(channels: str) -> MCPServer[LazyBackend]:
            return build_server(replace(settings, result_channels=cast("Channels", channels)), backend=backend)

        app = build_app(build, settings, backend, authentication, host=address, port=bound)
        loaded()

        def ready() -> None:
            click.echo(f"MCP server on http://{address}:{bound}{PATH}", err=True)
            if not settings.configured:
                click.echo("No TikTok credentials are set: calls will say how to set them.", err=True)
            if not only_here and not settings.allowed_hosts:
                click.echo(
                    f"MCP_ALLOWED_HOSTS is not set: only requests to localhost or {address} are answered.", err=True
                )

        try:
            asyncio.run(serve(app, listener, ready=ready))
        finally:
            send_rest()
