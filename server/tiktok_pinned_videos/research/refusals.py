"""TikTok's refusals: a table from codes, messages and HTTP statuses to the errors of `errors`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any, Final

from . import errors
from .text import clean

_TAG: Final = re.compile(r"<[/!?a-z][^<>]*(?:>|$)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\bclt\.[\w.!~*-]+", re.ASCII)
_URL: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_MAX_SEARCHED: Final = 100_000
_LONGEST_FORM: Final = 12  # characters of one encoded character of a secret


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP response, as the parser needs it."""

    status_code: int
    content: bytes
    retry_after: float | None = None
    sandbox: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Secrets of the request, which no error may contain."""
    received_at: float | None = None
    """Unix seconds."""


def shown(value: object, limit: int, secrets: tuple[str, ...] = ()) -> str:
    """Return a text of TikTok for people: clean, without markup, secrets or addresses, clipped with a mark."""
    if not isinstance(value, str):
        return ""
    text = _masked(value[:_MAX_SEARCHED], secrets)
    if len(value) > _MAX_SEARCHED:  # the cut may have left the first half of a secret
        text = text[: -_LONGEST_FORM * max(map(len, secrets), default=1)]
    # Once more after cleaning: invisible characters may have hidden a secret.
    text = _masked(clean(text), secrets)
    text = _URL.sub("[link]", _TOKEN.sub("[token]", _TAG.sub(" ", text)))
    text = " ".join(text.replace("<", " ").replace(">", " ").split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _masked(text: str, secrets: tuple[str, ...]) -> str:
    # The longest first: one may be part of another. A text of fewer than four characters would be found everywhere.
    for secret in sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True):
        text = _pattern(secret).sub("[secret]", text)
    return text


@functools.lru_cache(maxsize=8)
def _pattern(secret: str) -> re.Pattern[str]:
    """Match the secret with each character as it is, percent-encoded, or escaped as in JSON."""

    def forms(char: str) -> str:
        percent = "".join(f"%{octet:02x}" for octet in char.encode("utf-8", "replace"))
        units = char.encode("utf-16-be", "replace")
        escaped = "".join(rf"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
        plus = r"|\+" if char == " " else ""
        return rf"(?:\\?{re.escape(char)}|{percent}|{escaped}{plus})"

    return re.compile("".join(map(forms, secret)), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the error table. `{said}` in `what` is replaced by TikTok's message."""

    kind: type[errors.TikTokError]
    what: str
    next_step: str | None = None
    retryable: bool = False


_SCOPE: Final = _Row(errors.ScopeMissingError, "the project may not read this: a scope is missing.")
_FAULT: Final = _Row(errors.InternalServerError, "TikTok reported an internal fault.{said}", retryable=True)
_WITHHELD: Final = _Row(errors.PermissionDeniedError, "TikTok does not return this account's information.")
_QUOTA: Final = _Row(errors.QuotaExceededError, "TikTok says that the project's daily quota is used up.")
_SIMULATED: Final = _Row(errors.QuotaExceededError, "the sandbox simulates a used-up quota for this account only.")
_BY_CODE: Final = {
    "access_token_invalid": _Row(
        errors.AuthenticationError,
        "TikTok rejected two access tokens in a row.",
        "Call again; if it persists, check the project and its credentials at developers.tiktok.com.",
    ),
    "scope_not_authorized": _SCOPE,
    "scope_permission_missed": _SCOPE,
    "rate_limit_exceeded": _Row(errors.RateLimitError, "TikTok's short-term rate limit was reached.", retryable=True),
    "daily_quota_limit_exceeded": _QUOTA,
    "internal_error": _FAULT,
    "timeout": _FAULT,
}
_BY_MESSAGE: Final = {
    "cannot find the user": _Row(errors.NotFoundError, "TikTok found no account with this name."),
    "is private": _Row(errors.PermissionDeniedError, "the account is private."),
    "cannot return this user's information": _WITHHELD,
    "information cannot be returned": _WITHHELD,
}
"""Parts of messages in lower case: these refusals share the code invalid_params."""
_BY_STATUS: Final = {
    401: _Row(errors.AuthenticationError, "TikTok answered 401 Unauthorized.{said}"),
    403: _Row(
        errors.APIStatusError,
        "a gateway or proxy refused the request: HTTP 403 without an error code that TikTok documents.{said}",
        "Check the proxy or firewall between this server and TikTok, then call again.",
    ),
    429: _Row(errors.RateLimitError, "TikTok answered 429 Too Many Requests.{said}", retryable=True),
}
_REJECTED: Final = _Row(errors.BadRequestError, "TikTok rejected the request.{said}")

_OAUTH_FAULT: Final = _Row(errors.InternalServerError, "TikTok's token endpoint failed.{said}", retryable=True)
_BAD_CLIENT: Final = _Row(errors.AuthenticationError, "TikTok issued no access token for these credentials.{said}")
_BY_OAUTH_CODE: Final = {
    "invalid_scope": _Row(errors.ScopeMissingError, "TikTok issued no access token: the scope is not granted.{said}"),
    "server_error": _OAUTH_FAULT,
    "temporarily_unavailable": _OAUTH_FAULT,
    **dict.fromkeys(("access_denied", "invalid_client", "invalid_grant", "invalid_request"), _BAD_CLIENT),
    **dict.fromkeys(("unauthorized_client", "unsupported_grant_type", "unsupported_response_type"), _BAD_CLIENT),
}
"""RFC 6749, section 5.2."""


def token_error(reply: Reply, code: str | None, message: str, log_id: str | None) -> errors.TikTokError:
    """Return the error for a refusal of the token endpoint."""
    row = _BY_OAUTH_CODE.get(code or "")
    return _made(row, reply, code, message, log_id) if row else error_for(reply, code, message, log_id)


def error_for(reply: Reply, code: str | None, message: str, log_id: str | None) -> errors.TikTokError:
    """Return the error for a failure of a research endpoint: the code decides, then the message."""
    text = message.casefold().replace("\u2019", "'")
    row = _BY_CODE.get((code or "").lower())
    row = row or next((row for part, row in _BY_MESSAGE.items() if part in text), None)
    row = row or _BY_STATUS.get(reply.status_code)
    if row is None and _temporary(reply, message):
        row = _Row(errors.InternalServerError, f"TikTok answered HTTP {reply.status_code}.{{said}}")
    if row is None and code in (None, "ok"):
        what = "it has no error code" if code is None else f"HTTP {reply.status_code} with code ok"
        return undocumented(reply, what, code=code, log_id=log_id)
    return _made(row or _REJECTED, reply, code, message, log_id)


def _temporary(reply: Reply, message: str) -> bool:
    # Seen with HTTP 400 for faults of TikTok's backend: "Something is wrong. Please try again later."
    return reply.status_code >= 500 or (reply.status_code >= 400 and "try again later" in message.casefold())


def _made(row: _Row, reply: Reply, code: str | None, message: str, log_id: str | None) -> errors.TikTokError:
    next_step = row.next_step
    resets = errors.reset_time(reply.received_at) if reply.received_at is not None else "00:00 UTC"
    if row is _QUOTA and reply.sandbox:
        row, next_step = _SIMULATED, f"Other accounts are answered; a real quota would reset at {resets}."
    elif row is _QUOTA:
        next_step = f"Call again after the quota resets at {resets}."
    elif row.kind is errors.RateLimitError and reply.retry_after:
        next_step = f"Wait {reply.retry_after:.0f} s, as TikTok asks, then call again."
    error = row.kind(
        row.what.replace("{said}", f" TikTok says: {message!r}." if message and message != code else ""),
        next_step=next_step,
        retryable=row.retryable or (_temporary(reply, message) and row.kind is not errors.QuotaExceededError),
        code=code,
        log_id=log_id,
        **_facts(reply),
    )
    error.for_every_account = error.for_every_account and row is not _SIMULATED
    return error


def unparsable(reply: Reply) -> errors.TikTokError:
    """Return the error for a body that is not JSON: an HTML page of a gateway, or a part of an answer."""
    if reply.status_code in (401, 403, 429) or reply.status_code >= 500:
        error = error_for(reply, None, "", None)
        error.retryable = True
        return error
    what = f"TikTok answered HTTP {reply.status_code} with a body that is not JSON."
    # A redirect is not followed, and another request would only get it again.
    return errors.APIResponseValidationError(what, **_facts(reply), retryable=not 300 <= reply.status_code < 400)


def undocumented(
    reply: Reply, what: str, *, code: str | None = None, log_id: str | None = None
) -> errors.APIResponseValidationError:
    """Return the error for JSON that TikTok does not document. Only after a 5xx can another request help."""
    what = f"TikTok's response does not have the documented format: {what}."
    retryable = reply.status_code >= 500
    return errors.APIResponseValidationError(what, **_facts(reply), code=code, log_id=log_id, retryable=retryable)


def _facts(reply: Reply) -> dict[str, Any]:
    return {"status_code": reply.status_code, "retry_after": reply.retry_after, "sandbox": reply.sandbox}
