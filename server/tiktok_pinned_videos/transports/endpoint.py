"""The endpoint `/mcp`: result channels, limits per request, and headers and messages as the SDK expects them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .messages import MessageError, read_message

MAX_BODY: Final = 64 * 1024
"""Bytes of one request; 50 usernames of 64 letters are below 8 KiB."""
_JSON, _EVENTS = "application/json", "text/event-stream"


class Endpoint:
    """The application for authenticated requests. `build` makes the MCP server for the channels `both` or `text`."""

    def __init__(self, build: Callable[[str], MCPServer[Any]], *, default_channels: str) -> None:
        self._default_channels = default_channels
        self.app = RequestBodyLimitMiddleware(self._answer, MAX_BODY)
        # With JSON responses progress is lost, and a client that leaves does not cancel its call. The SDK's check of
        # Host, which compares prefixes, is off without settings.
        self._managers = {
            (channels, streams): StreamableHTTPSessionManager(server, json_response=not streams, stateless=True)
            for channels in ("both", "text")
            for server in (build(channels)._lowlevel_server,)  # pyright: ignore[reportPrivateUsage] - as in `stdio`
            for streams in (True, False)
        }

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Requests are answered inside this context."""
        async with contextlib.AsyncExitStack() as stack:
            for manager in self._managers.values():
                await stack.enter_async_context(manager.run())
            yield

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        parameters = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        channels = parameters.get("channels", [self._default_channels])
        parts: list[Message] = []

        async def rewritten() -> Message:
            return parts.pop() if parts else await receive()

        try:
            if scope["method"] != "POST":
                # GET opens a stream and DELETE ends a session; this server has neither.
                answer: ASGIApp = refusal(405, "Only POST is supported here.", {"Allow": "POST"})
            elif channels not in (["both"], ["text"]):
                answer = refusal(400, "channels must be both or text, as in /mcp?channels=text.")
            else:
                answer = self._managers[channels[0], _negotiate(scope)].handle_request
                received = await receive()  # the whole body, unless the client has left
                if received["type"] != "http.request" or received["more_body"]:
                    return
                parts.append({**received, "body": read_message(received["body"]).text.encode()})
        except MessageError as error:
            answer = Response(error.answer, error.status, media_type=_JSON)
        await answer(scope, rewritten, send)


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a rejection with a sentence as its body."""
    return JSONResponse({"error": words}, status_code=status, headers=headers)


def _negotiate(scope: Scope) -> bool:
    """Return whether to answer with an event stream. Raises `MessageError` if the body is not declared as JSON.

    Rewrites the headers in the form that the SDK compares. A missing `Accept` and wildcards are accepted in both
    protocol eras; in the 2025 era one of the two types is enough.
    """
    headers = Headers(scope=scope)
    accept = ",".join(headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")} - {""} or {"*/*"}
    json, events = accepted & {_JSON, "application/*", "*/*"}, accepted & {_EVENTS, "text/*", "*/*"}
    legacy = headers.get("mcp-protocol-version", HANDSHAKE_PROTOCOL_VERSIONS[0]) in HANDSHAKE_PROTOCOL_VERSIONS
    if not (json and events) and not (legacy and (json or events)):
        raise MessageError(f"Accept must name {_JSON} and {_EVENTS}", status=406)
    if [kind.partition(";")[0].strip().lower() for kind in headers.getlist("content-type")] != [_JSON]:
        raise MessageError("Content-Type must be application/json", status=415)
    others = [pair for pair in scope["headers"] if pair[0] not in (b"accept", b"content-type", b"content-length")]
    scope["headers"] = [*others, (b"accept", f"{_JSON}, {_EVENTS}".encode()), (b"content-type", _JSON.encode())]
    return bool(events) or not legacy
