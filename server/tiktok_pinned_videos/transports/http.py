"""Build the ASGI application that serves MCP over Streamable HTTP.

The server keeps no sessions, so any replica can answer any request.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tiktok_pinned_videos.hosts import LOOPBACK_NAMES, is_allowed, parse_host, parse_origin
from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.presentation.results import source_of
from tiktok_pinned_videos.research.errors import ConfigurationError
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.state.base import StateStoreError

from .auth import BearerBackend, JWTVerifier, SharedSecret, log_rejection
from .connections import send_last
from .endpoint import Endpoint, refusal

PATH: Final = "/mcp"
_METADATA: Final = "/.well-known/oauth-protected-resource"
_HEALTH: Final = ("/healthz", "/readyz")
_NO_STORE: Final = {"Cache-Control": "no-store"}
_CHECK_INTERVAL: Final = 1.0  # minimum seconds between checks of the store: each writes to it, and anyone can cause one


def build_app(
    build: Callable[[str], MCPServer[Any]],
    settings: Settings,
    backend: Backend,
    verifier: SharedSecret | JWTVerifier | None,
    *,
    host: str,
    port: int,
) -> ASGIApp:
    """Build the application that is served at `host` (as in a URL) and `port`.

    `build` makes the MCP server for the result channels `both` or `text`; each client chooses one by its URL.
    """
    endpoint = Endpoint(build, default_channels=settings.result_channels)
    mcp: ASGIApp = endpoint.app
    routes = _health_routes(backend)
    if verifier is not None:
        metadata_url = None
        if isinstance(verifier, JWTVerifier):
            is_url = urlsplit(settings.jwt_audience).scheme in ("http", "https")
            resource = settings.public_url or (settings.jwt_audience if is_url else f"http://{host}:{port}{PATH}")
            parts = urlsplit(resource)
            path = _METADATA + parts.path.rstrip("/")
            metadata_url = AnyHttpUrl(f"{parts.scheme}://{parts.netloc}{path}")
            metadata: dict[str, Any] = {
                "resource": resource,
                "authorization_servers": [settings.jwt_issuer],  # as configured: pydantic would add a slash
                "bearer_methods_supported": ["header"],
            } | ({"scopes_supported": settings.jwt_required_scopes} if settings.jwt_required_scopes else {})
            metadata_response = JSONResponse(metadata, headers={"Cache-Control": "max-age=3600"})
            routes += [Route(each, metadata_response, methods=["GET"]) for each in {path, _METADATA, _METADATA + PATH}]
        mcp = AuthenticationMiddleware(
            RequireAuthMiddleware(endpoint.app, [*settings.jwt_required_scopes], metadata_url),
            BearerBackend(verifier),
            lambda _, error: refusal(503, f"Cannot check the token now: {error}. Try again.", {"Retry-After": "3"}),
        )
    others = Starlette(routes=routes, lifespan=lambda _: endpoint.running())
    hosts = [*(f"{name}:*" for name in {*LOOPBACK_NAMES, host}), *settings.allowed_hosts]
    origins = [*(f"http://{name}:*" for name in LOOPBACK_NAMES), *settings.allowed_origins]
    return _guarded(others, {**{route.path: others for route in routes}, PATH: mcp, f"{PATH}/": mcp}, hosts, origins)


def _guarded(lifespan: ASGIApp, by_path: Mapping[str, ASGIApp], hosts: list[str], origins: list[str]) -> ASGIApp:
    """Check path, Host and Origin, and close the connections of rejected requests."""
    with_cors = {
        path: CORSMiddleware(
            app,
            allow_origin_regex=".*",  # all other origins are rejected before
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate"),
        )
        for path, app in by_path.items()
    }

    def choose(scope: Scope) -> ASGIApp:
        # Compare the path as it was sent: a proxy may decode it in another way.
        path = bytes(scope["raw_path"]).decode("latin-1")
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if not path.startswith("/") and "://" in path:  # the absolute form: its host replaces Host
            host, slash, path = path.partition("://")[2].partition("/")
            path = scope["path"] = slash + path
        # Health probes send an IP address as Host, or none.
        if path not in _HEALTH and not is_allowed(host, hosts, parse_host):
            log_rejection(421, f"the Host is {host!r}, expected one of: {', '.join(hosts)}")
            return refusal(421, "This Host is not allowed. The operator can allow it with MCP_ALLOWED_HOSTS.")
        if origin is not None and not is_allowed(origin, origins, parse_origin):
            log_rejection(403, f"the Origin is {origin!r}, expected one of: {', '.join(origins)}")
            return refusal(403, "This Origin is not allowed. The operator can allow it with MCP_ALLOWED_ORIGINS.")
        if path not in by_path:
            return refusal(404, f"Not found. MCP is served at {PATH}.")
        # Only browsers need CORS, but caches need `Vary: Origin` in every response to GET.
        return (by_path if origin is None and scope["method"] == "POST" else with_cors)[path]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
            return
        try:
            await choose(scope)(scope, receive, functools.partial(send_last, scope, send))
        except asyncio.CancelledError:  # uvicorn cancels calls that did not end in time
            stopping = refusal(503, "The server is stopping.", {"Connection": "close", "Retry-After": "1"})
            with contextlib.suppress(RuntimeError):  # a response has begun
                await stopping(scope, receive, send)

    return guarded


def _health_routes(backend: Backend) -> list[Route]:
    """Return the routes for load balancers and orchestrators. They need no authentication and return no secret."""
    checked_at, state = -_CHECK_INTERVAL, "ok"

    async def readyz(_: Request) -> Response:
        nonlocal checked_at, state
        try:
            service = backend.service()
        except ConfigurationError as error:
            return JSONResponse({"status": "not_ready", "reason": str(error)}, 503, headers=_NO_STORE)
        if time.monotonic() - checked_at >= _CHECK_INTERVAL:
            checked_at = time.monotonic()
            try:
                await service.store.check()
                state = "ok"
            except StateStoreError:
                state = "degraded"
        ready = {"status": "ready", "state": state, "source": source_of(sandbox=backend.settings.sandbox)}
        return JSONResponse(ready, headers=_NO_STORE)

    alive = JSONResponse({"status": "alive"}, headers=_NO_STORE)
    return [Route(_HEALTH[0], alive, methods=["GET"]), Route(_HEALTH[1], readyz)]
