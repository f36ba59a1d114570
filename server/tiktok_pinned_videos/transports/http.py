"""MCP on Streamable HTTP: the application from settings, and how it is served.

Every request is complete in itself (no session is kept), so any replica answers any request. Knows uvicorn and the SDK;
who may call is `auth`'s, what a request may be is `gate`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never
from urllib.parse import urlsplit

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from tiktok_pinned_videos.mcp_server.backend import Backend
from tiktok_pinned_videos.serving import Server
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.origins import AllowedAddresses

from .auth import Authentication, AuthorizationServer, JWTVerifier, NoAuthentication, SharedSecret
from .bounds import MAX_BODY, refuse
from .connections import MAX_HEAD, Connection
from .guard import PATH, Authenticator, Gate, SecretAuthenticator, TokenAuthenticator
from .health import health_routes
from .keys import KeySet

DRAIN: Final = 6
"""Seconds that calls in flight get to end when the server is told to stop; with telemetry it is below 8 s."""
_MAX_WAITING: Final = 2048
"""Connections that may wait to be accepted; one that finds no place is tried again by its kernel a second later."""
_METADATA: Final = "/.well-known/oauth-protected-resource"


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Address (IPv6 in brackets) and port it has."""
    host, port = listener.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host), port


def is_only_here(listener: socket.socket) -> bool:
    """Whether nobody but this machine can connect to it."""
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
    servers = {channels: _mcp_app(build(channels)) for channels in ("both", "text")}
    others: dict[str, ASGIApp] = {route.path: route for route in health_routes(backend)}
    authenticate: Authenticator | None
    match authentication:
        case AuthorizationServer():
            resource = _resource(settings, authentication, host=host, port=port)
            verifier = JWTVerifier(authentication, KeySet(authentication.issuer, authentication.jwks_url))
            path = _METADATA + urlsplit(resource).path.rstrip("/")
            parts = urlsplit(resource)
            authenticate = TokenAuthenticator(verifier, metadata_url=f"{parts.scheme}://{parts.netloc}{path}")
            others |= dict.fromkeys((path, _METADATA), _metadata(resource, authentication.issuer))
        case SharedSecret():
            authenticate = SecretAuthenticator(authentication)
        case NoAuthentication():
            authenticate = None
        case _:
            assert_never(authentication)
    gate = Gate(
        {channels: app for channels, (app, _) in servers.items()},
        others,
        default_channels=settings.result_channels,
        addresses=AllowedAddresses(host, hosts=settings.allowed_hosts, origins=settings.allowed_origins),
        authenticate=authenticate,
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan([lifespan for _, lifespan in servers.values()], receive, send)
            return
        try:
            await gate(scope, receive, send)
        except asyncio.CancelledError:  # by uvicorn, which has waited for `DRAIN`
            with contextlib.suppress(RuntimeError):  # an answer has begun
                await refuse(send, 503, "the server is stopping", {"Connection": "close", "Retry-After": "1"})

    return application


_Lifespan = Callable[[], contextlib.AbstractAsyncContextManager[Any]]


def _mcp_app(server: MCPServer[Any]) -> tuple[ASGIApp, _Lifespan]:
    # Of the application only what makes it: the gate has routed already, and another router takes time with each call.
    server.streamable_http_app(
        # With JSON responses progress would be lost, and a client that goes away would not end its call.
        json_response=False,
        stateless_http=True,
        max_request_body_size=MAX_BODY,
        # The gate has looked at both already, more closely.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return server.session_manager.handle_request, server.session_manager.run


async def _lifespan(contexts: list[_Lifespan], receive: Receive, send: Send) -> None:
    await receive()
    async with contextlib.AsyncExitStack() as stack:
        for context in contexts:
            await stack.enter_async_context(context())
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _resource(settings: Settings, server: AuthorizationServer, *, host: str, port: int) -> str:
    """The URL that tokens are asked for."""
    if urlsplit(server.audience).scheme in ("http", "https"):
        return server.audience
    if settings.allowed_hosts:
        return f"https://{settings.allowed_hosts[0].removesuffix(':*')}{PATH}"
    return f"http://{host}:{port}{PATH}"


def _metadata(resource: str, issuer: str) -> ASGIApp:
    """Where to get a token, and for what (RFC 9728)."""
    facts: Mapping[str, Any] = {
        "resource": resource,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
    }
    body = json.dumps(facts).encode()

    async def metadata(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["method"] not in ("GET", "HEAD"):
            await refuse(send, 405, "only GET is served here", {"Allow": "GET"})
            return
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"max-age=3600")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    return metadata


async def serve(app: ASGIApp, listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then answer what is in flight and return. `ready` is called once."""
    config = uvicorn.Config(
        app,
        http=Connection,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_MAX_WAITING,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=3600,  # `Connection` has its own, which no dripping byte prolongs
        timeout_graceful_shutdown=DRAIN,
    )

    await Server(config, ready).serve(sockets=[listener])
