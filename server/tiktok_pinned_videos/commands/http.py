"""`http`: MCP on Streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from functools import partial
from typing import cast

import anyio
from mcp.server.mcpserver import MCPServer

from tiktok_pinned_videos.app import build_server, build_service
from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.hosts import is_loopback
from tiktok_pinned_videos.mcp_server.backend import DRAIN, Backend
from tiktok_pinned_videos.observability.logs import notice
from tiktok_pinned_videos.observability.telemetry import configure_telemetry
from tiktok_pinned_videos.serving import Server, listen
from tiktok_pinned_videos.settings import Channels, Settings
from tiktok_pinned_videos.state.base import UnusableStoreError
from tiktok_pinned_videos.state.open import check_usable
from tiktok_pinned_videos.transports.auth import authentication_for
from tiktok_pinned_videos.transports.connections import SETTINGS
from tiktok_pinned_videos.transports.http import PATH, build_app

from . import loaded, stop


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until a signal; calls in progress are answered."""
    try:
        listener = listen(host, port)
    except OSError as error:
        reason = error.strerror or error
        stop(f"Cannot listen on {host} port {port}: {reason}. Choose others with --host and --port.", 1)
    _raise_file_limit()
    with listener:
        address, bound = listener.getsockname()[:2]
        address = f"[{address}]" if ":" in address else address
        local = is_loopback(address)
        try:
            verifier = authentication_for(settings, loopback=local)
        except SettingsError as error:
            stop(str(error))
        try:
            asyncio.run(check_usable(settings.state, prefix=f"{settings.namespace}:"))
        except UnusableStoreError as error:
            stop(f"The state store of TIKTOK_STATE cannot work: {error}. {error.next_step}")
        stop_telemetry = configure_telemetry(os.environ)
        backend = Backend(settings, build_service)
        if settings.configured:
            # A server is started once and called often: load now what the first call would wait for.
            backend.service()

        def build(channels: str) -> MCPServer[Backend]:
            return build_server(replace(settings, result_channels=cast("Channels", channels)), backend=backend)

        app = build_app(build, settings, backend, verifier, host=address, port=bound)
        loaded()

        def ready() -> None:
            notice(f"MCP server on http://{address}:{bound}{PATH}")
            if not settings.configured:
                notice("No TikTok credentials are set: calls will say how to set them.")
            if not local and not settings.allowed_hosts:
                notice(f"MCP_ALLOWED_HOSTS is not set: only requests to localhost or {address} are answered.")
            if settings.caller_quota and not settings.jwt_issuer:
                notice("MCP_CALLER_QUOTA is ignored: it counts callers by their tokens, and MCP_JWT_ISSUER is not set.")

        try:
            server = Server(app, ready, backend.begin_drain, timeout_graceful_shutdown=DRAIN, **SETTINGS)
            anyio.run(partial(server.serve, sockets=[listener]))  # see `stdio`
        finally:
            stop_telemetry()


def _raise_file_limit() -> None:
    """Allow as many connections as the system permits."""
    with contextlib.suppress(ImportError):  # Windows
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for wanted in (65536, 10240):  # macOS permits no more than 10240
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                return
