"""Requests and replies as bytes, and TikTok's two ways to say no. Knows the envelopes; decides nothing.

The research endpoints answer `{"data": …, "error": {"code", "message", "log_id"}}` with a real status. The token
endpoint answers its refusals with HTTP 200 and a top-level `error`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

SANDBOX_HEADER = ("X-Sandbox", "tiktok-pinned-videos-mcp")

_JSON = ("Content-Type", "application/json; charset=utf-8")
_GATEWAY_TIMEOUT = (
    b"<html>\r\n<head><title>504 Gateway Timeout</title></head>\r\n<body>\r\n<center><h1>504 Gateway Timeout</h1>"
    b"</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What came in: upper-case method, decoded path, query without its `?`, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty when none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out, `delay` seconds (0 or more) after the request came in."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    delay: float = 0.0


class ResearchError(Exception):
    """A request to a research endpoint that TikTok would turn down; says how."""

    def __init__(self, status: int, code: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class TokenError(Exception):
    """A token request that TikTok would turn down, in OAuth's words."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def success(data: Mapping[str, object], log_id: str) -> Reply:
    """The research endpoints' yes."""
    return _json(HTTPStatus.OK, {"data": data, "error": {"code": "ok", "message": "", "log_id": log_id}})


def refused(refusal: ResearchError, log_id: str) -> Reply:
    """The research endpoints' no: empty data and a status that means it."""
    error = {"code": refusal.code, "message": refusal.message, "log_id": log_id}
    return _json(refusal.status, {"data": {}, "error": error}, *refusal.headers)


def token_granted(token: str, lifetime: int) -> Reply:
    """The token endpoint's yes; `lifetime` is in seconds."""
    body = {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}
    return _json(HTTPStatus.OK, body, ("Cache-Control", "no-store"))


def token_refused(refusal: TokenError, log_id: str) -> Reply:
    """The token endpoint's no, which comes with HTTP 200."""
    body = {"error": refusal.error, "error_description": refusal.description, "log_id": log_id}
    return _json(HTTPStatus.OK, body, ("Cache-Control", "no-store"))


def gateway_timeout() -> Reply:
    """What stands between us and TikTok has given up: HTML where JSON was promised."""
    return _reply(HTTPStatus.GATEWAY_TIMEOUT, _GATEWAY_TIMEOUT, ("Content-Type", "text/html"))


def _json(status: int, value: object, *headers: tuple[str, str]) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return _reply(status, body, _JSON, *headers)


def _reply(status: int, body: bytes, *headers: tuple[str, str]) -> Reply:
    # The one place where replies are made: whatever it says, it says that it is the sandbox.
    return Reply(int(status), (*headers, ("Content-Length", str(len(body))), SANDBOX_HEADER), body)
