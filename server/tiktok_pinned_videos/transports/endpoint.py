"""The endpoint `/mcp`: result channels, limits per request, and headers and messages as the SDK expects them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connections import admit
from .messages import MessageError, read_message

MAX_BODY: Final = 64 * 1024
"""Bytes of one request; 50 usernames of 64 letters are below 8 KiB."""
MAX_IN_PROGRESS: Final = 1280
"""Requests at the same time; further ones are rejected with 503."""
BODY_TIMEOUT: Final = 10.0
_JSON, _EVENTS = "application/json", "text/event-stream"


class Endpoint:
    """The application for authenticated requests. `build` makes the MCP server for the channels `both` or `text`."""

    def __init__(self, build: Callable[[str], MCPServer[Any]], *, default_channels: str) -> None:
        self._default_channels = default_channels
        self._requests = 0
        self._apps: dict[tuple[str, bool], ASGIApp] = {}
        self.lifespans: list[Callable[[], AbstractAsyncContextManager[None]]] = []
        """To be entered before the first request."""
        for channels in ("both", "text"):
            server = build(channels)
            # With JSON responses progress is lost, and a client that leaves does not cancel its call.
            for streams in (True, False):
                server.streamable_http_app(
                    json_response=not streams,
                    stateless_http=True,
                    # The SDK compares prefixes; `http` has compared the whole Host and Origin.
                    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
                )
                self._apps[channels, streams] = server.session_manager.handle_request
                self.lifespans.append(server.session_manager.run)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        admit(scope)
        self._requests += 1
        try:
            answer = self._rejection(scope) or await self._application(Request(scope, receive))
            await answer(scope, receive, send)
        except ClientDisconnect:
            pass
        finally:
            self._requests -= 1

    def _rejection(self, scope: Scope) -> Response | None:
        if scope["method"] != "POST":
            # GET opens a stream and DELETE ends a session; this server has neither.
            return refusal(405, "Only POST is supported here.", {"Allow": "POST"})
        if Request(scope).query_params.getlist("channels") not in ([], ["both"], ["text"]):
            return refusal(400, "channels must be both or text, as in /mcp?channels=text.")
        if self._requests > MAX_IN_PROGRESS:
            return refusal(503, "Too many requests are in progress.", {"Retry-After": "1"})
        return None

    async def _application(self, request: Request) -> ASGIApp:
        """Read a message and return the SDK's application for it, or a rejection."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > MAX_BODY:
                        words = f"A request must not be larger than {MAX_BODY} bytes."
                        return refusal(413, words, {"Connection": "close"})
        except TimeoutError:
            return refusal(408, "The request did not arrive in time.", {"Connection": "close"})
        is_json, streams = _negotiate(request.scope)
        try:
            message = read_message(bytes(body))
        except MessageError as error:
            return Response(error.answer, status_code=400, media_type=_JSON)
        if not is_json:
            return Response(MessageError("Content-Type must be application/json").answer, 415, media_type=_JSON)
        channels = request.query_params.get("channels", self._default_channels)
        return _with_body(self._apps[channels, streams], message.text.encode())


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a rejection with a sentence as its body."""
    return JSONResponse({"error": words}, status_code=status, headers=headers)


def _negotiate(scope: Scope) -> tuple[bool, bool]:
    """Return whether the body is declared as JSON, and whether to answer with an event stream.

    Rewrites the headers in the form that the SDK compares. A missing `Accept` and wildcards are accepted in both
    protocol eras; in the 2025 era one of the two types is enough.
    """
    headers = Headers(scope=scope)
    accept = ",".join(headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")} - {""} or {"*/*"}
    json, events = (
        bool(accepted & {kind, wild, "*/*"}) for kind, wild in ((_JSON, "application/*"), (_EVENTS, "text/*"))
    )
    legacy = headers.get("mcp-protocol-version", HANDSHAKE_PROTOCOL_VERSIONS[0]) in HANDSHAKE_PROTOCOL_VERSIONS
    if (json and events) or (legacy and (json or events)):
        accept = f"{_JSON}, {_EVENTS}"
    kinds = {value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")}
    others = [pair for pair in scope["headers"] if pair[0] not in (b"accept", b"content-type", b"content-length")]
    scope["headers"] = [*others, (b"accept", accept.encode("latin-1")), (b"content-type", _JSON.encode())]
    return kinds == {_JSON}, events or not legacy


def _with_body(app: ASGIApp, body: bytes) -> ASGIApp:
    """Return `app` with a request body that was read already."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return parts.pop() if parts else await receive()

        await app(scope, replay, send)

    return answer
