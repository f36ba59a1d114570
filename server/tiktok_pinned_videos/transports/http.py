"""MCP over Streamable HTTP: the application from settings, and how it is served.

Every request is complete in itself (there are no sessions), so any replica can answer any request.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never, cast
from urllib.parse import urlsplit

import uvicorn
from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.authentication import AuthenticationError
from starlette.datastructures import Headers
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.serving import Server
from tiktok_pinned_videos.settings import Settings

from .auth import Authentication, AuthorizationServer, BearerBackend, JWTVerifier, SharedSecret
from .connections import MAX_HEAD, Connection
from .endpoint import Endpoint, Lifespan, refusal
from .health import HEALTH_PATHS, health
from .keys import KeySet
from .origins import AllowedAddresses
from .rejections import log_rejection

PATH: Final = "/mcp"
_MAX_BACKLOG: Final = 2048
_METADATA: Final = "/.well-known/oauth-protected-resource"
_EXPOSED_HEADERS: Final = ("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate")


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Address (IPv6 in brackets) and port of a socket."""
    host, port = listener.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host), port


def is_loopback_only(listener: socket.socket) -> bool:
    """Whether only this machine can connect."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def build_app(
    build: Callable[[str], MCPServer[Any]],
    settings: Settings,
    backend: Backend,
    authentication: Authentication,
    *,
    host: str,
    port: int,
) -> ASGIApp:
    """The whole application as it is served at `host` (as in a URL) and `port`.

    `build` makes the MCP server for `both` result channels or for `text` alone: a connection may choose.
    """
    endpoint = Endpoint(build, default_channels=settings.result_channels)
    protected: ASGIApp = endpoint
    routes = health(backend)
    match authentication:
        case AuthorizationServer():
            resource = _public_url(settings, host=host, port=port)
            path = urlsplit(resource).path.rstrip("/")
            metadata = _metadata(resource, authentication)
            routes |= dict.fromkeys((_METADATA, _METADATA + path, _METADATA + PATH), metadata)
            verifier = JWTVerifier(authentication, KeySet(authentication.issuer, authentication.jwks_url))
            parts = urlsplit(resource)
            metadata_url = AnyHttpUrl(f"{parts.scheme}://{parts.netloc}{_METADATA}{path}")
            required = RequireAuthMiddleware(endpoint, [*authentication.required_scopes], metadata_url)
            protected = AuthenticationMiddleware(required, BearerBackend(verifier), _unavailable)
        case SharedSecret():
            protected = AuthenticationMiddleware(RequireAuthMiddleware(endpoint, []), BearerBackend(authentication))
        case None:
            pass
        case _:
            assert_never(authentication)
    routes |= {PATH: protected, f"{PATH}/": protected}
    with_cors = CORSMiddleware(
        _Routes(routes),
        # Only allowed origins come this far.
        allow_origin_regex=".*",
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=_EXPOSED_HEADERS,
    )
    addresses = AllowedAddresses(host, hosts=settings.allowed_hosts, origins=settings.allowed_origins)
    return _Application(with_cors, endpoint.lifespans, addresses)


class _Application:
    """Checks Host and Origin, closes the connections of requests that are not authenticated, and stops well."""

    def __init__(self, app: ASGIApp, lifespans: list[Lifespan], addresses: AllowedAddresses) -> None:
        self._app = app
        self._lifespans = lifespans
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run(receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and "admitted" not in scope:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        try:
            app = self._rejection(scope) or self._app
            await app(scope, receive, sending)
        except asyncio.CancelledError:  # by uvicorn, which has waited for the calls in progress
            stopping = refusal(503, "The server is stopping.", {"Connection": "close", "Retry-After": "1"})
            with contextlib.suppress(RuntimeError):  # a response has begun
                await stopping(scope, receive, send)

    def _rejection(self, scope: Scope) -> Response | None:
        path = bytes(scope["raw_path"]).decode("latin-1")
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if "://" in path:  # the absolute form, whose host counts
            _, _, rest = path.partition("://")
            host, slash, path = rest.partition("/")
            path = slash + path
        scope["exact_path"] = path
        # A name may be an attacker's that points here; an address cannot, and probes send addresses or nothing.
        if not self._addresses.host(host, any_address=path in HEALTH_PATHS):
            log_rejection(421, f"the Host is {host!r}, expected one of: {self._addresses.expected_hosts}")
            return refusal(421, "This Host is not served here. The operator can allow it with MCP_ALLOWED_HOSTS.")
        if origin is not None and not self._addresses.origin(origin):
            log_rejection(403, f"the Origin is {origin!r}, expected one of: {self._addresses.expected_origins}")
            return refusal(403, "This Origin is not allowed. The operator can allow it with MCP_ALLOWED_ORIGINS.")
        return None

    async def _run(self, receive: Receive, send: Send) -> None:
        await receive()
        async with contextlib.AsyncExitStack() as stack:
            for lifespan in self._lifespans:
                await stack.enter_async_context(lifespan())
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class _Routes:
    """Exact paths as they were sent: a decoded path could be another one to a proxy. Never redirects."""

    def __init__(self, routes: Mapping[str, ASGIApp]) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._routes.get(scope["exact_path"]) or refusal(404, f"Not found. MCP is served at {PATH}.")
        await app(scope, receive, send)


def _public_url(settings: Settings, *, host: str, port: int) -> str:
    """The URL of the endpoint as clients see it."""
    if settings.public_url:
        return settings.public_url
    if urlsplit(settings.jwt_audience).scheme in ("http", "https"):
        return settings.jwt_audience
    if settings.allowed_hosts:
        return f"https://{settings.allowed_hosts[0].removesuffix(':*')}{PATH}"
    return f"http://{host}:{port}{PATH}"


def _metadata(resource: str, server: AuthorizationServer) -> ASGIApp:
    """Where to get a token, and for what (RFC 9728). The issuer is written as it was configured."""
    facts: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": [server.issuer],
        "bearer_methods_supported": ["header"],
    }
    if server.required_scopes:
        facts["scopes_supported"] = [*server.required_scopes]

    async def metadata(scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = JSONResponse(facts, headers={"Cache-Control": "max-age=3600"})
        if scope["method"] not in ("GET", "HEAD"):
            response = refusal(405, "Only GET is supported here.", {"Allow": "GET, HEAD"})
        await response(scope, receive, send)

    return metadata


def _unavailable(_: HTTPConnection, error: AuthenticationError) -> Response:
    words = f"The token cannot be checked now: {error}. Try again."
    return refusal(503, words, {"Retry-After": "3"})


async def serve(
    app: ASGIApp, listener: socket.socket, *, drain: float, ready: Callable[[], None], stopping: Callable[[], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then answer what is in progress and return.

    `drain`: seconds for that. `ready` and `stopping` are called once.
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
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=3600,  # `Connection` has a timeout that dripping bytes do not extend
        timeout_graceful_shutdown=cast("int", drain),  # any number of seconds works
    )
    await Server(config, ready, stopping).serve(sockets=[listener])
