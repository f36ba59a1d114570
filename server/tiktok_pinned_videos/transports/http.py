"""MCP over Streamable HTTP: the application from settings, and how it is served.

The server keeps no sessions, so any replica can answer any request.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError
from starlette.datastructures import Headers
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.presentation.results import source_of
from tiktok_pinned_videos.research.errors import ConfigurationError
from tiktok_pinned_videos.serving import Server
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.state.base import StateStoreError

from .auth import BearerBackend, JWTVerifier, SharedSecret, log_rejection
from .connections import IDLE_TIMEOUT, MAX_HEAD, Connection, send_last
from .endpoint import Endpoint, refusal
from .origins import AllowedAddresses

PATH: Final = "/mcp"
_MAX_BACKLOG: Final = 2048
_METADATA: Final = "/.well-known/oauth-protected-resource"
_HEALTH: Final = ("/healthz", "/readyz")
_NO_STORE: Final = {"Cache-Control": "no-store"}
_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks of the store: a check writes to it, and clients without a token can cause one."""


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Return address (IPv6 in brackets) and port of a socket."""
    host, port = listener.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host), port


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
    protected: ASGIApp = endpoint
    routes = _health_routes(backend)
    if verifier is not None:
        metadata_url = None
        if isinstance(verifier, JWTVerifier):
            audience = settings.jwt_audience if settings.jwt_audience.startswith(("https://", "http://")) else ""
            resource = settings.public_url or audience or f"http://{host}:{port}{PATH}"
            parts = urlsplit(resource)
            path = _METADATA + parts.path.rstrip("/")
            metadata_url = AnyHttpUrl(f"{parts.scheme}://{parts.netloc}{path}")
            metadata = _metadata(resource, settings)
            routes += [Route(each, metadata) for each in dict.fromkeys((path, _METADATA, _METADATA + PATH))]
        required = RequireAuthMiddleware(endpoint, [*settings.jwt_required_scopes], metadata_url)
        protected = AuthenticationMiddleware(required, BearerBackend(verifier), _unavailable)
    routes += [Route(path, protected) for path in (PATH, f"{PATH}/")]
    app = Starlette(routes=routes, lifespan=lambda _: endpoint.running())
    app.router.redirect_slashes = False
    with_cors = CORSMiddleware(
        app,
        allow_origin_regex=".*",  # the guard has rejected all other origins
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate"),
    )
    addresses = AllowedAddresses(host, hosts=settings.allowed_hosts, origins=settings.allowed_origins)
    return _guarded(with_cors, {route.path for route in routes}, addresses)


def _guarded(app: ASGIApp, paths: set[str], addresses: AllowedAddresses) -> ASGIApp:
    """Check path, Host and Origin, and close the connections of requests that are not authenticated."""

    def rejection(scope: Scope) -> Response | None:
        # Exact and as it was sent: a decoded path could be another one to a proxy.
        path = bytes(scope["raw_path"]).decode("latin-1")
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if "://" in path:  # the absolute form, whose host counts
            host, slash, path = path.partition("://")[2].partition("/")
            path = scope["path"] = slash + path
        # Probes send an address or no Host.
        if path not in _HEALTH and not addresses.host(host):
            log_rejection(421, f"the Host is {host!r}, expected one of: {', '.join(addresses.hosts)}")
            return refusal(421, "This Host is not allowed. The operator can allow it with MCP_ALLOWED_HOSTS.")
        if origin is not None and not addresses.origin(origin):
            log_rejection(403, f"the Origin is {origin!r}, expected one of: {', '.join(addresses.origins)}")
            return refusal(403, "This Origin is not allowed. The operator can allow it with MCP_ALLOWED_ORIGINS.")
        return None if path in paths else refusal(404, f"Not found. MCP is served at {PATH}.")

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        try:
            await (rejection(scope) or app)(scope, receive, functools.partial(send_last, scope, send))
        except asyncio.CancelledError:  # uvicorn cancels calls that did not end in time
            stopping = refusal(503, "The server is stopping.", {"Connection": "close", "Retry-After": "1"})
            with contextlib.suppress(RuntimeError):  # a response has begun
                await stopping(scope, receive, send)

    return guarded


def _health_routes(backend: Backend) -> list[Route]:
    """Return the routes for load balancers and orchestrators: no authentication, nothing secret."""
    checked_at, state = -_CHECK_INTERVAL, "ok"

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_NO_STORE)

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

    return [Route(_HEALTH[0], healthz), Route(_HEALTH[1], readyz)]


def _metadata(resource: str, settings: Settings) -> Callable[[Request], Response]:
    """Return the handler of the protected-resource metadata (RFC 9728). The issuer is written as configured."""
    facts: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": [settings.jwt_issuer],
        "bearer_methods_supported": ["header"],
    }
    if settings.jwt_required_scopes:
        facts["scopes_supported"] = [*settings.jwt_required_scopes]
    return lambda _: JSONResponse(facts, headers={"Cache-Control": "max-age=3600"})


def _unavailable(_: HTTPConnection, error: AuthenticationError) -> Response:
    return refusal(503, f"The token cannot be checked now: {error}. Try again.", {"Retry-After": "3"})


async def serve(
    app: ASGIApp, listener: socket.socket, *, drain: float, ready: Callable[[], None], stopping: Callable[[], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then finish the calls in progress and return.

    `drain`: seconds that these may take. `ready` and `stopping` are called once.
    """
    server = Server(
        app,
        ready,
        stopping,
        timeout_graceful_shutdown=drain,
        lifespan="on",
        http=Connection,
        backlog=_MAX_BACKLOG,
        timeout_keep_alive=IDLE_TIMEOUT,
        h11_max_incomplete_event_size=MAX_HEAD,
    )
    await server.serve(sockets=[listener])
