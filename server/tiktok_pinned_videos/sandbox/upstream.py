"""TikTok, as far as this project can see it: two endpoints that turn requests into replies. No I/O, no waiting.

Knows the documented order of things: who asks (token), what for (fields), about whom (username). Where the documents
are silent it is strict, so that a sloppy client is found here and not at TikTok.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs

from .accounts import pinned_videos
from .changing import changing_videos
from .protocol import (
    Reply,
    Request,
    ResearchError,
    TokenError,
    gateway_timeout,
    refused,
    success,
    token_granted,
    token_refused,
)
from .tokens import LIFETIME, Tokens
from .videos import FIELDS, Video

TOKEN_PATH = "/v2/oauth/token/"  # noqa: S105 - a path, not a password
PINNED_VIDEOS_PATH = "/v2/research/user/pinned_videos/"
MAX_BODY = 64 * 1024  # bytes; both documented bodies are far below 1 KiB

_WRONG_SECRET = "wrong"  # noqa: S105 - the one secret that is refused, for trying that out
_SLOW = 2.0  # seconds that sandbox_slow takes


class SandboxUpstream:
    """One sandbox with a life of its own: the tokens it issued, the names that have failed once.

    `clock` gives Unix time in seconds; `entropy` gives that many random bytes; `latency` is the seconds every answer
    takes. `answer` is synchronous and never waits: whoever carries the reply honours `Reply.delay`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
        latency: float = 0.0,
    ) -> None:
        self.tokens = Tokens(clock=clock, entropy=entropy)
        self._clock = clock
        self._latency = latency
        self._host = entropy(6).hex().upper()
        self._replies = 0
        self._failed_once: set[str] = set()

    def answer(self, request: Request) -> Reply:
        """The reply to any request whatsoever; raises nothing."""
        self._replies += 1
        log_id = self._log_id()
        try:
            reply = self._route(request, log_id)
        except ResearchError as refusal:
            reply = refused(refusal, log_id)
        except TokenError as refusal:
            reply = token_refused(refusal, log_id)
        if not self._latency:
            return reply
        return Reply(reply.status, reply.headers, reply.body, reply.delay + self._latency)

    def _log_id(self) -> str:
        # Time, machine, number: 32 characters like TikTok's own, and no two of them alike.
        return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(self._clock()))}{self._host}{self._replies:06X}"

    def _route(self, request: Request, log_id: str) -> Reply:
        if request.path not in (TOKEN_PATH, PINNED_VIDEOS_PATH):
            raise ResearchError(HTTPStatus.NOT_FOUND, "unsupported_path", "Unsupported path(Janus)")
        if request.method != "POST":
            message = f"The method {request.method} is not supported here, use POST."
            raise ResearchError(HTTPStatus.METHOD_NOT_ALLOWED, "invalid_request", message, ("Allow", "POST"))
        if len(request.body) > MAX_BODY:
            message = f"The request body is larger than {MAX_BODY} bytes."
            raise ResearchError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "invalid_request", message)
        if request.path == TOKEN_PATH:
            _check_client(request)
            return token_granted(self.tokens.issue(), LIFETIME)
        self._check_token(request)
        fields = _fields(request.query)
        return self._pinned_videos(_username(request), fields, log_id)

    def _check_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.tokens.accepts(token.strip()):
            message = "The access token is invalid or not found in the request."
            raise ResearchError(HTTPStatus.UNAUTHORIZED, "access_token_invalid", message)

    def _pinned_videos(self, username: str, fields: frozenset[str], log_id: str) -> Reply:
        match username.casefold():
            case "sandbox_missing":
                raise _invalid(f"`username: {username}` is invalid: cannot find the user")
            case "sandbox_private":
                raise _invalid(f"`username: {username}` is private")
            case "sandbox_quota":
                message = "The API daily quota limit exceeded. Please try again later"
                raise ResearchError(HTTPStatus.TOO_MANY_REQUESTS, "daily_quota_limit_exceeded", message)
            case "sandbox_broken":
                return gateway_timeout()
            case "sandbox_flaky" as name if self._first(name):
                message = "Something is wrong. Please try again later."
                raise ResearchError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)
            case "sandbox_limited" as name if self._first(name):
                message = "The API rate limit was exceeded. Please try again later."
                raise ResearchError(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded", message, ("Retry-After", "1"))
            case folded:
                pinned = changing_videos(self._clock()) if folded == "sandbox_changing" else pinned_videos(username)
                listed = [_selected(video, fields, username) for video in pinned]
                reply = success({"pinned_videos_list": listed}, log_id)
                if folded == "sandbox_slow":
                    return Reply(reply.status, reply.headers, reply.body, _SLOW)
                return reply

    def _first(self, name: str) -> bool:
        if name in self._failed_once:
            return False
        self._failed_once.add(name)
        return True


def _selected(video: Video, fields: frozenset[str], username: str) -> Video:
    selected = {field: value for field, value in video.items() if field in fields}
    if "username" in fields:
        selected["username"] = username
    return selected


def _invalid(message: str) -> ResearchError:
    return ResearchError(HTTPStatus.BAD_REQUEST, "invalid_params", message)


def _fields(query: str) -> frozenset[str]:
    given = ",".join(parse_qs(query).get("fields", ()))
    if not given.strip():
        raise _invalid("The parameter `fields` is required in the query.")
    fields = frozenset(name.strip() for name in given.split(","))
    if unknown := fields.difference(FIELDS):
        raise _invalid(f"`fields` is invalid: unknown field {', '.join(sorted(unknown))}")
    return fields


def _username(request: Request) -> str:
    if request.media_type != "application/json":
        raise _invalid("The Content-Type must be application/json.")
    try:
        body: object = json.loads(request.body)
    except (ValueError, RecursionError):  # RecursionError: 64 KiB hold brackets enough for it
        raise _invalid("The request body is not valid JSON.") from None
    username = cast("dict[str, object]", body).get("username") if isinstance(body, dict) else None
    if not isinstance(username, str) or not username.strip():
        raise _invalid("`username` is required and must be a string.")
    if any("\ud800" <= character <= "\udfff" for character in username):
        # JSON can spell half a character; no reply could say it again in UTF-8.
        raise _invalid("`username` is not valid Unicode.")
    return username


def _check_client(request: Request) -> None:
    if request.media_type != "application/x-www-form-urlencoded":
        message = "Only `application/x-www-form-urlencoded` is accepted as Content-Type."
        raise TokenError("invalid_request", message)
    form = parse_qs(request.body.decode("utf-8", "replace"))  # leaves out what is empty: empty is missing
    for name in ("client_key", "client_secret", "grant_type"):
        if len(form.get(name, ())) != 1:
            raise TokenError("invalid_request", f"The parameter `{name}` is missing, empty or repeated.")
    if form["grant_type"] != ["client_credentials"]:
        raise TokenError("unsupported_grant_type", "Grant type is not supported: use client_credentials.")
    if form["client_secret"] == [_WRONG_SECRET]:
        raise TokenError("invalid_client", "Client key or secret is incorrect.")
