"""MCP over Streamable HTTP: the application from settings, and how it is served.

The server keeps no sessions, so any replica can answer any request.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvicorn
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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.serving import Server
from tiktok_pinned_videos.settings import Settings

from .auth import BearerBackend, JWTVerifier, SharedSecret
from .connections import IDLE_TIMEOUT, MAX_HEAD, Connection, send_last
from .endpoint import Endpoint, refusal
from .health import HEALTH_PATHS, health_routes
from .origins import AllowedAddresses
from .rejections import log_rejection

PATH: Final = "/mcp"
_MAX_BACKLOG: Final = 2048
_METADATA: Final = "/.well-known/oauth-protected-resource"


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Return address (IPv6 in brackets) and port of a socket."""
    host, port = listener.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host), port


def is_loopback_only(listener: socket.socket) -> bool:
    """Return whether only this machine can connect."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


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
    routes = health_routes(backend)
    if verifier is not None:
        metadata_url = None
        if isinstance(verifier, JWTVerifier):
            resource = _public_url(settings, host=host, port=port)
            parts = urlsplit(resource)
            path = _METADATA + parts.path.rstrip("/")
            metadata_url = AnyHttpUrl(f"{parts.scheme}://{parts.netloc}{path}")
            metadata = _metadata(resource, settings)
            routes += [Route(each, metadata) for each in dict.fromkeys((path, _METADATA, _METADATA + PATH))]
        required = RequireAuthMiddleware(endpoint, [*settings.jwt_required_scopes], metadata_url)
        protected = AuthenticationMiddleware(required, BearerBackend(verifier), _unavailable)
    routes += [Route(path, protected) for path in (PATH, f"{PATH}/")]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for each in endpoint.lifespans:
                await stack.enter_async_context(each())
            yield

    app = Starlette(routes=routes, lifespan=lifespan)
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
    return _Guard(with_cors, frozenset(route.path for route in routes), addresses)


class _Guard:
    """Checks path, Host and Origin, and closes the connections of requests that are not authenticated."""

    def __init__(self, app: ASGIApp, paths: frozenset[str], addresses: AllowedAddresses) -> None:
        self._app = app
        self._paths = paths
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            await send_last(scope, message, send)

        try:
            await (self._rejection(scope) or self._app)(scope, receive, closing)
        except asyncio.CancelledError:  # uvicorn cancels calls that did not end in time
            stopping = refusal(503, "The server is stopping.", {"Connection": "close", "Retry-After": "1"})
            with contextlib.suppress(RuntimeError):  # a response has begun
                await stopping(scope, receive, send)

    def _rejection(self, scope: Scope) -> Response | None:
        # Exact and as it was sent: a decoded path could be another one to a proxy.
        path = bytes(scope["raw_path"]).decode("latin-1")
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if "://" in path:  # the absolute form, whose host counts
            host, slash, path = path.partition("://")[2].partition("/")
            path = scope["path"] = slash + path
        # An attacker can point a name at this server, but not an address. Probes send an address or no Host.
        if not self._addresses.host(host, any_address=path in HEALTH_PATHS):
            log_rejection(421, f"the Host is {host!r}, expected one of: {self._addresses.expected_hosts}")
            return refusal(421, "This Host is not allowed. The operator can allow it with MCP_ALLOWED_HOSTS.")
        if origin is not None and not self._addresses.origin(origin):
            log_rejection(403, f"the Origin is {origin!r}, expected one of: {self._addresses.expected_origins}")
            return refusal(403, "This Origin is not allowed. The operator can allow it with MCP_ALLOWED_ORIGINS.")
        return None if path in self._paths else refusal(404, f"Not found. MCP is served at {PATH}.")


def _public_url(settings: Settings, *, host: str, port: int) -> str:
    """Return the URL of the endpoint as clients see it."""
    if settings.public_url:
        return settings.public_url
    if urlsplit(settings.jwt_audience).scheme in ("http", "https"):
        return settings.jwt_audience
    if settings.allowed_hosts:
        return f"https://{settings.allowed_hosts[0].removesuffix(':*')}{PATH}"
    return f"http://{host}:{port}{PATH}"


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
    config = uvicorn.Config(
        cast("Any", app),
        http=Connection,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_MAX_BACKLOG,
        timeout_keep_alive=IDLE_TIMEOUT,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_graceful_shutdown=cast("int", drain),  # any number of seconds works
    )
    await Server(config, ready, stopping).serve(sockets=[listener])
