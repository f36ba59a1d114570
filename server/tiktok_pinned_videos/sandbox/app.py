"""The ASGI application of the sandbox: TikTok's token endpoint and pinned videos, with tokens and special names.

It checks token, fields and username, in this order. Where the documents say nothing it is strict, so that a mistake of
a client is found here and not at TikTok.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from .accounts import pinned_videos
from .changing import changing_videos
from .requests import Request, ResearchError, TokenError, check_client, fields_of, invalid, username_of
from .videos import Video

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TOKEN_PATH = "/v2/oauth/token/"  # noqa: S105 - a path, not a password
PINNED_VIDEOS_PATH = "/v2/research/user/pinned_videos/"
TOKEN_LIFETIME = 7200  # seconds, as documented
MAX_BODY = 64 * 1024  # bytes; both documented bodies are far below 1 KiB

_SLOW = 2.0  # seconds that sandbox_slow takes
_GATEWAY_TIMEOUT = (
    b"<html>\r\n<head><title>504 Gateway Timeout</title></head>\r\n<body>\r\n<center><h1>504 Gateway Timeout</h1>"
    b"</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class SandboxApp:
    """One sandbox, with the tokens that it issued and the names that have failed once.

    `clock` gives Unix time in seconds; `entropy` gives that many random bytes; `latency` is the seconds that every
    response takes.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
        latency: float = 0.0,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._latency = latency
        self._host = entropy(6).hex().upper()
        self._requests = 0
        self._failed_once: set[str] = set()
        self._expires_at: dict[str, float] = {}  # by token

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request. Any other scope is a WebSocket, whose handshake is rejected."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        body = await _read(receive)
        if body is None:
            return
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
        )
        # Sleep even for 0 s, so that the other tasks of a client in this process can run.
        await asyncio.sleep(self._latency)
        status, content, headers = await self._respond(request)
        headers |= {"Content-Length": str(len(content)), "X-Sandbox": "tiktok-pinned-videos-mcp"}
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": int(status), "headers": pairs})
        await send({"type": "http.response.body", "body": content})

    async def _respond(self, request: Request) -> tuple[int, bytes, dict[str, str]]:
        self._requests += 1
        # Time, machine, number: 32 characters like TikTok's own, each one different.
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(self._clock()))
        log_id = f"{stamp}{self._host}{self._requests:06X}"
        try:
            _check_route(request)
            if request.path == TOKEN_PATH:
                check_client(request)
                return _json({"access_token": self._issue(), "expires_in": TOKEN_LIFETIME, "token_type": "Bearer"})
            self._check_token(request)
            fields, username = fields_of(request), username_of(request)
            if username.casefold() == "sandbox_broken":
                return HTTPStatus.GATEWAY_TIMEOUT, _GATEWAY_TIMEOUT, {"Content-Type": "text/html"}
            videos = await self._pinned_videos(username)
        except TokenError as refusal:
            return _json({"error": refusal.error, "error_description": refusal.description, "log_id": log_id})
        except ResearchError as refusal:
            error = {"code": refusal.code, "message": refusal.message, "log_id": log_id}
            return _json({"data": {}, "error": error}, refusal.status, **refusal.headers)
        listed = [_selected(video, fields, username) for video in videos]
        ok = {"code": "ok", "message": "", "log_id": log_id}
        return _json({"data": {"pinned_videos_list": listed}, "error": ok})

    async def _pinned_videos(self, username: str) -> tuple[Video, ...]:
        match username.casefold():
            case "sandbox_missing":
                raise invalid(f"`username: {username}` is invalid: cannot find the user")
            case "sandbox_private":
                raise invalid(f"`username: {username}` is private")
            case "sandbox_quota":
                message = "The API daily quota limit exceeded. Please try again later"
                raise ResearchError(HTTPStatus.TOO_MANY_REQUESTS, "daily_quota_limit_exceeded", message)
            case "sandbox_flaky" as name if self._first(name):
                message = "Something is wrong. Please try again later."
                raise ResearchError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)
            case "sandbox_limited" as name if self._first(name):
                message = "The API rate limit was exceeded. Please try again later."
                headers = {"Retry-After": "1"}
                raise ResearchError(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded", message, **headers)
            case "sandbox_slow":
                await asyncio.sleep(_SLOW)
            case "sandbox_changing":
                return changing_videos(self._clock())
            case _:
                pass
        return pinned_videos(username)

    def _first(self, name: str) -> bool:
        first = name not in self._failed_once
        self._failed_once.add(name)
        return first

    def _issue(self) -> str:
        # Several tokens are valid at once, as at TikTok: a new one does not end the others.
        token = f"clt.{self._entropy(24).hex()}"
        self._expires_at[token] = self._clock() + TOKEN_LIFETIME
        return token

    def _check_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._clock() >= self._expires_at.get(token.strip(), float("-inf")):
            message = "The access token is invalid or not found in the request."
            raise ResearchError(HTTPStatus.UNAUTHORIZED, "access_token_invalid", message)


def _check_route(request: Request) -> None:
    if request.path not in (TOKEN_PATH, PINNED_VIDEOS_PATH):
        raise ResearchError(HTTPStatus.NOT_FOUND, "unsupported_path", "Unsupported path(Janus)")
    if request.method != "POST":
        message = f"The method {request.method} is not supported here, use POST."
        raise ResearchError(HTTPStatus.METHOD_NOT_ALLOWED, "invalid_request", message, Allow="POST")
    if len(request.body) > MAX_BODY:
        message = f"The request body is larger than {MAX_BODY} bytes."
        raise ResearchError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "invalid_request", message)


def _selected(video: Video, fields: frozenset[str], username: str) -> Video:
    selected = {field: value for field, value in video.items() if field in fields}
    return selected | ({"username": username} if "username" in fields else {})


def _json(value: object, status: int = HTTPStatus.OK, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return status, body, {"Content-Type": "application/json; charset=utf-8", **headers}


async def _read(receive: Receive) -> bytes | None:
    """The body, cut off once it is longer than allowed; None when the client has disconnected."""
    body = b""
    while len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return body
