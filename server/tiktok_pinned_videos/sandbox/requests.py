"""TikTok's checks of a request, and the two forms of its refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs

from .videos import FIELDS

WRONG_SECRET = "wrong"  # noqa: S105 - the one client secret that is rejected, for trying that out


@dataclass(frozen=True, slots=True)
class Request:
    """One request: upper-case method, decoded path, query without its `?`, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty when none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class ResearchError(Exception):
    """A refusal of a research endpoint: an HTTP status and the documented envelope."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class TokenError(Exception):
    """A refusal of the token endpoint: HTTP 200 and a top-level error with one of OAuth's codes."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def invalid(message: str) -> ResearchError:
    """The refusal of a parameter."""
    return ResearchError(HTTPStatus.BAD_REQUEST, "invalid_params", message)


def fields_of(request: Request) -> frozenset[str]:
    """The requested fields. Spaces after commas are tolerated, as TikTok does."""
    given = ",".join(parse_qs(request.query).get("fields", ()))
    if not given.strip():
        raise invalid("The parameter `fields` is required in the query.")
    fields = frozenset(name.strip() for name in given.split(","))
    if unknown := fields.difference(FIELDS):
        raise invalid(f"`fields` is invalid: unknown field {', '.join(sorted(unknown))}")
    return fields


def username_of(request: Request) -> str:
    """The requested username."""
    if request.media_type != "application/json":
        raise invalid("The Content-Type must be application/json.")
    try:
        body: object = json.loads(request.body)
    except (ValueError, RecursionError):  # RecursionError: 64 KiB hold enough brackets for it
        raise invalid("The request body is not valid JSON.") from None
    username = cast("dict[str, object]", body).get("username") if isinstance(body, dict) else None
    if not isinstance(username, str) or not username.strip():
        raise invalid("`username` is required and must be a string.")
    if any("\ud800" <= character <= "\udfff" for character in username):
        # JSON can contain half a surrogate pair, which UTF-8 cannot.
        raise invalid("`username` is not valid Unicode.")
    return username


def check_client(request: Request) -> None:
    """Check a token request. Any credentials are accepted, except the secret `wrong`."""
    if request.media_type != "application/x-www-form-urlencoded":
        message = "Only `application/x-www-form-urlencoded` is accepted as Content-Type."
        raise TokenError("invalid_request", message)
    form = parse_qs(request.body.decode("utf-8", "replace"))  # leaves out empty values: empty is missing
    for name in ("client_key", "client_secret", "grant_type"):
        if len(form.get(name, ())) != 1:
            raise TokenError("invalid_request", f"The parameter `{name}` is missing, empty or repeated.")
    if form["grant_type"] != ["client_credentials"]:
        raise TokenError("unsupported_grant_type", "Grant type is not supported: use client_credentials.")
    if form["client_secret"] == [WRONG_SECRET]:
        raise TokenError("invalid_client", "Client key or secret is incorrect.")
