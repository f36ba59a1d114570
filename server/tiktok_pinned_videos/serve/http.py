"""MCP on Streamable HTTP: the application from settings, and a server that stops without losing a call.

Every request is complete in itself (no session is kept), so any replica answers any request. Knows uvicorn, sockets
and signals; who may come in is `auth`'s and `gate`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from importlib.util import find_spec
from types import FrameType
from typing import Any, Final, Literal, Protocol, assert_never
from urllib.parse import urlsplit

import uvicorn
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.surface.resources import StatusBackend

from .auth import BearerDoor, Door, JWTDoor, JWTVerifier, NoDoor
from .gate import MAX_BODY, PATH, gated
from .health import health_routes
from .keys import KeySet

DRAIN: Final = 7
"""Seconds that calls in flight get to end when the server is told to stop."""
_MAX_CONNECTIONS: Final = 512
_IDLE: Final = 75
"""Seconds a connection may rest; above the 60 s of common load balancers, so that they hang up first."""
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


def listen(host: str, port: int) -> socket.socket:
    """A socket that has the port. Raises OSError when the host cannot be found or the port cannot be had."""
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    # asyncio sets TCP_NODELAY only where the protocol is named; without it headers and body cost 40 ms a reply.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Bound is not yet taken: only listening makes a second server on the same port fail here, in words.
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Address (IPv6 in brackets) and port it has."""
    host, port = listener.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host), port


def is_only_here(listener: socket.socket) -> bool:
    """Whether nobody but this machine can connect to it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


class BuildServer(Protocol):
    """Makes the MCP server for a door."""

    def __call__(
        self, *, auth: AuthSettings | None = ..., token_verifier: TokenVerifier | None = ...
    ) -> MCPServer[Any]:
        """The server; with both arguments a resource server that believes only what the verifier does."""
        ...


def build_app(
    build: BuildServer, settings: Settings, backend: StatusBackend, door: Door, *, host: str, port: int
) -> ASGIApp:
    """The whole application as it is served at `host` (as in a URL) and `port`."""
    security = _security(settings, host)
    match door:
        case JWTDoor():
            server = build(
                auth=_resource_server(settings, door, host=host, port=port),
                token_verifier=JWTVerifier(door, KeySet(door.issuer, door.jwks_url)),
            )
            bearer = None
        case BearerDoor():
            server, bearer = build(), door
        case NoDoor():
            server, bearer = build(), None
        case _:
            assert_never(door)
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        # With JSON responses progress would be lost, and a client that goes away would not end its call.
        json_response=False,
        stateless_http=True,
        max_request_body_size=MAX_BODY,
        transport_security=security,
    )
    inner.router.redirect_slashes = False

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    gate = gated(inner, door=bearer, origins=security.allowed_origins)
    everything = Starlette(routes=[*health_routes(backend), Mount("/", gate)], lifespan=lifespan)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # Nearly every request is a call: it needs no router to find its way.
        is_call = scope["type"] == "http" and scope["path"] == PATH
        await (gate if is_call else everything)(scope, receive, send)

    return application


def _security(settings: Settings, host: str) -> TransportSecuritySettings:
    """Host and Origin checks: this machine's names, the bound address and what the operator allows."""
    hosts = [f"{name}:*" for name in (*_LOOPBACK_NAMES, host)] + [name.lower() for name in settings.allowed_hosts]
    # Where the port is the scheme's own, it is not written; the SDK's `:*` wants one.
    hosts += [name.removesuffix(":*") for name in hosts]
    origins = [f"http://{name}:*" for name in _LOOPBACK_NAMES] + [name.lower() for name in settings.allowed_origins]
    origins += [name.removesuffix(":*") for name in origins]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=list(dict.fromkeys(hosts)),
        allowed_origins=list(dict.fromkeys(origins)),
    )


def _resource_server(settings: Settings, door: JWTDoor, *, host: str, port: int) -> AuthSettings:
    """What clients are told of where to get a token, and for what."""
    if urlsplit(door.audience).scheme in ("http", "https"):
        resource = door.audience
    elif settings.allowed_hosts:
        resource = f"https://{settings.allowed_hosts[0].removesuffix(':*')}{PATH}"
    else:
        resource = f"http://{host}:{port}{PATH}"
    return AuthSettings(
        issuer_url=AnyHttpUrl(door.issuer),
        resource_server_url=AnyHttpUrl(resource),
        validate_token_resource=False,  # our verifier checks the audience itself, and it need not be a URL
    )


async def serve(app: ASGIApp, listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, then answer what is in flight and return. `ready` is called once."""
    config = uvicorn.Config(
        app,
        http=_protocol(),
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_MAX_CONNECTIONS,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=DRAIN,
    )
    await _Server(config, ready).serve(sockets=[listener])


def _protocol() -> type[asyncio.Protocol] | Literal["h11"]:
    if find_spec("httptools") is None:
        return "h11"
    from .protocol import BoundedProtocol  # noqa: PLC0415 - its library is optional

    return BoundedProtocol


class _Server(uvicorn.Server):
    """uvicorn, but it says when it is ready, and being asked to stop is no accident."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # As in uvicorn, with two differences. The signal is not raised again at the end: that would turn a good stop
        # into a failure. And the handler is neither `handle_exit` nor a method: by both, sse-starlette (which the SDK
        # streams through) notices a stop and cuts every stream at once, so that calls in flight would be lost.
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _: FrameType | None) -> None:
            if self.should_exit and number == signal.SIGINT:
                self.force_exit = True
            self.should_exit = True

        signals = [signal.SIGINT, signal.SIGTERM]
        if os.name == "nt":
            signals.append(signal.Signals["SIGBREAK"])
        before = {number: signal.signal(number, stop) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
