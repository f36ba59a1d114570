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
MAX_IN_PROGRESS: Final = 256
MAX_WAITING: Final = 1024
"""Requests that may wait for others to end; further ones are rejected with 503."""
BODY_TIMEOUT: Final = 10.0
_JSON, _EVENTS = "application/json", "text/event-stream"


class Endpoint:
    """The application for authenticated requests. `build` makes the MCP server for the channels `both` or `text`."""

    def __init__(self, build: Callable[[str], MCPServer[Any]], *, default_channels: str) -> None:
        self._default_channels = default_channels
        self._slots = asyncio.Semaphore(MAX_IN_PROGRESS)
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
        request = Request(scope, receive)
        channels = request.query_params.getlist("channels") or [self._default_channels]
        response: Response | None = None
        if scope["method"] != "POST":
            # GET opens a stream and DELETE ends a session; this server has neither.
            response = refusal(405, "Only POST is supported here.", {"Allow": "POST"})
        elif channels not in (["both"], ["text"]):
            response = refusal(400, "channels must be both or text, as in /mcp?channels=text.")
        elif self._requests >= MAX_IN_PROGRESS + MAX_WAITING:
            response = refusal(503, "Too many requests are in progress.", {"Retry-After": "1"})
        if response is not None:
            await response(scope, receive, send)
            return
        self._requests += 1
        try:
            async with self._slots:
                read = await _read(request)
                if isinstance(read, Response):
                    await read(scope, receive, send)
                elif read is not None:
                    body, streams = read
                    await self._apps[channels[0], streams](scope, _replay(body, receive), send)
        finally:
            self._requests -= 1


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a rejection with a sentence as its body."""
    return JSONResponse({"error": words}, status_code=status, headers=headers)


async def _read(request: Request) -> tuple[bytes, bool] | Response | None:
    """Return the message and whether to answer with an event stream; or a rejection; None if the client has left."""
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
    except ClientDisconnect:
        return None
    is_json, streams = _negotiate(request.scope)
    try:
        message = read_message(bytes(body))
    except MessageError as error:
        return Response(error.answer, status_code=400, media_type=_JSON)
    if not is_json:
        return Response(MessageError("Content-Type must be application/json").answer, 415, media_type=_JSON)
    return message.text.encode(), streams


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


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
