"""`/mcp`: result channels, limits of a request, and headers and messages as the SDK expects them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from urllib.parse import parse_qsl

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connections import admit
from .messages import MessageError, read_message

MAX_BODY: Final = 64 * 1024
"""Bytes of one request; 50 usernames of 64 letters are below 8 KiB."""
MAX_IN_FLIGHT: Final = 256
BODY_TIMEOUT: Final = 10.0
_JSON, _EVENTS = "application/json", "text/event-stream"

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Endpoint:
    """Answers authenticated requests. `build` makes the MCP server for the channels `both` or `text`."""

    def __init__(self, build: Callable[[str], MCPServer[Any]], *, default_channels: str) -> None:
        self._default_channels = default_channels
        self._in_flight = 0
        self._apps: dict[tuple[str, bool], ASGIApp] = {}
        self.lifespans: list[Lifespan] = []
        """To be entered before the first request."""
        for channels in ("both", "text"):
            server = build(channels)
            # With JSON responses progress is lost, and a client that leaves does not cancel its call.
            for streams in (True, False):
                server.streamable_http_app(
                    json_response=not streams,
                    stateless_http=True,
                    max_request_body_size=MAX_BODY,
                    # The SDK compares prefixes; `http` has compared the whole Host and Origin.
                    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
                )
                self._apps[channels, streams] = server.session_manager.handle_request
                self.lifespans.append(server.session_manager.run)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        admit(scope)
        scope["admitted"] = True
        rejection = self._rejection(scope)
        if rejection is not None:
            await rejection(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._answer(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _rejection(self, scope: Scope) -> Response | None:
        if scope["method"] != "POST":
            # Every request is complete in itself: there is no stream to open and no session to delete.
            return refusal(405, "Only POST is supported here.", {"Allow": "POST"})
        if _channels(scope) not in ("", "both", "text"):
            return refusal(400, "channels must be both or text, as in /mcp?channels=text.")
        if self._in_flight >= MAX_IN_FLIGHT:
            return refusal(503, "Too many requests are in progress.", {"Retry-After": "1"})
        return None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                body = await _read_body(scope, receive)
        except TimeoutError:
            await refusal(408, "The request did not arrive in time.", {"Connection": "close"})(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > MAX_BODY:
            words = f"A request must not be larger than {MAX_BODY} bytes."
            await refusal(413, words, {"Connection": "close"})(scope, receive, send)
            return
        media, streams = _negotiated(scope)
        if not media:
            words = "Content-Type must be application/json."
            await _error(415, MessageError("null", -32600, words))(scope, receive, send)
            return
        try:
            message = read_message(body)
        except MessageError as error:
            await _error(400, error)(scope, receive, send)
            return
        app = self._apps[_channels(scope) or self._default_channels, streams]
        await app(scope, _replay(message.text.encode(), receive), send)


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """A rejection in words."""
    return JSONResponse({"error": words}, status_code=status, headers=headers)


def _error(status: int, error: MessageError) -> Response:
    return Response(error.answer, status_code=status, media_type=_JSON)


def _channels(scope: Scope) -> str:
    """The result channels that the URL asks for; empty if it does not."""
    query = scope["query_string"].decode("latin-1")
    chosen = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "channels"] if query else []
    return (chosen[0] or "none") if len(chosen) == 1 else "several" if chosen else ""


def _negotiated(scope: Scope) -> tuple[bool, bool]:
    """Whether the body is declared as JSON, and whether to answer with an event stream.

    Rewrites `Accept`, `Content-Type` and `Content-Length` as the SDK compares them. Both eras accept a missing `Accept`
    and wildcards; in the 2025 era one of the two types is enough.
    """
    headers = Headers(scope=scope)
    given = ",".join(headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in given.split(",")} - {""}
    json = not accepted.isdisjoint({_JSON, "application/*", "*/*"}) or not accepted
    events = not accepted.isdisjoint({_EVENTS, "text/*", "*/*"}) or not accepted
    legacy = headers.get("mcp-protocol-version", HANDSHAKE_PROTOCOL_VERSIONS[0]) in HANDSHAKE_PROTOCOL_VERSIONS
    if (json and events) or (legacy and (json or events)):
        given = f"{_JSON}, {_EVENTS}"
    kinds = {value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")}
    replaced = (b"accept", b"content-type", b"content-length")
    kept = [(name, value) for name, value in scope["headers"] if name not in replaced]
    scope["headers"] = [*kept, (b"accept", given.encode("latin-1")), (b"content-type", _JSON.encode())]
    return kinds == {_JSON}, events or not legacy


async def _read_body(scope: Scope, receive: Receive) -> bytes | None:
    """The body, cut when it is too long; None when the client has disconnected."""
    declared = Headers(scope=scope).get("content-length", "0")
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


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
