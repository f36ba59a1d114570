"""What every request to the MCP endpoint passes before the SDK sees it: CORS, the shared secret, bounds.

Plain ASGI. Everything is guarded unless it is named as public, so that no spelling of a path leads around the door.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import BearerDoor

PATH: Final = "/mcp"
MAX_BODY: Final = 64 * 1024
"""Bytes of one request; 50 usernames of 64 letters are below 8 KiB."""
MAX_IN_FLIGHT: Final = 256
_BODY_TIME: Final = 10.0
_FINISH_TIME: Final = 2.0
_FINISH_BYTES: Final = 8 * 1024 * 1024
_PROTOCOL_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
)
_EXPOSED_HEADERS: Final = ("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate")


def gated(app: ASGIApp, *, door: BearerDoor | None, origins: Iterable[str]) -> ASGIApp:
    """`app` behind all that. `origins` as in `TransportSecuritySettings`: exact, or ending in `:*`."""
    bounded = Bounds(app)
    guarded = BearerGate(bounded, door.admits) if door is not None else bounded
    # Outermost: a preflight carries no token, and a refusal must be readable to the page that caused it.
    return CORSMiddleware(
        guarded,
        allow_origin_regex="|".join(map(_pattern, origins)),
        allow_methods=("POST",),
        allow_headers=_PROTOCOL_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
    )


class BearerGate:
    """Answers 401 to whoever does not know the secret, before reading anything of theirs."""

    def __init__(self, app: ASGIApp, admits: Callable[[str], bool]) -> None:
        self._app = app
        self._admits = admits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and self._admits(given[0].decode("latin-1")):
            await self._app(scope, receive, send)
            return
        # RFC 6750: no error code where no token was sent.
        challenge = 'Bearer error="invalid_token"' if given else "Bearer"
        await _refuse(send, 401, "a bearer token is required", {"WWW-Authenticate": challenge})


class Bounds:
    """Bounds what one request may send and how many may be under way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        path: str = scope["path"]
        if path.rstrip("/") != PATH:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":
            # Every call is complete in itself: there is no stream to listen to and no session to delete.
            await _refuse(send, 405, "only POST is served here", {"Allow": "POST"})
            return
        try:
            async with asyncio.timeout(_BODY_TIME):
                body = await _read(scope, receive)
        except TimeoutError:
            await _refuse(send, 408, "the request did not arrive in time", {"Connection": "close"})
            return
        if body is None:
            return
        if len(body) > MAX_BODY:
            await _let_finish(scope, receive)
            await _refuse(send, 413, f"a request may have {MAX_BODY} bytes", {"Connection": "close"})
            return
        if self._in_flight >= MAX_IN_FLIGHT:
            await _refuse(send, 503, "too many calls are under way", {"Retry-After": "1"})
            return
        self._in_flight += 1
        try:
            # /mcp/ is the same place; a redirect would send the token to wherever the Host header points.
            await self._app({**scope, "path": PATH, "raw_path": PATH.encode()}, _replay(body, receive), send)
        finally:
            self._in_flight -= 1


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The body, cut once it is too long; None when the client has gone."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared[:12]) > MAX_BODY:
        return bytes(MAX_BODY + 1)
    body = bytearray()
    while len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


async def _let_finish(scope: Scope, receive: Receive) -> None:
    """Read on for a while and forget it: a client that is cut off while it writes never reads why."""
    if any(name == b"expect" for name, _ in scope["headers"]):
        return  # it asks before it sends
    dropped = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FINISH_TIME):
            while dropped < _FINISH_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, status: int, reason: str, headers: Mapping[str, str]) -> None:
    body = json.dumps({"error": reason}).encode()
    every = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _pattern(origin: str) -> str:
    base, any_port = origin.removesuffix(":*"), origin.endswith(":*")
    return re.escape(base) + (r"(:\d{1,5})?" if any_port else "")
