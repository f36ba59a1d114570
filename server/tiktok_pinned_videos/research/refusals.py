"""What TikTok's refusals mean: the error table, from codes, messages and statuses to the family of `errors`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Final

from . import errors
from .text import clean

_TAG: Final = re.compile(r"<[/!?a-z][^<>]*(?:>|$)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\bclt\.[\w.!~*-]+", re.ASCII)
_ENCODED: Final = re.compile(r"[%&\\+]")
_SEARCHED: Final = 100_000
_LONGEST_FORM: Final = 40
_LONGEST_SECRET: Final = 1000
"""Characters: of a text that is searched, of one character encoded, of a secret that is looked for in encodings."""
_URL: Final = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, complete, as the parser needs it."""

    status_code: int
    content: bytes
    retry_after: float | None = None
    sandbox: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What was sent and must not be quoted back."""


def shown(value: object, limit: int, secrets: tuple[str, ...] = ()) -> str:
    """TikTok's own words, fit to be shown: clean, without markup, secrets or addresses, clipped with a mark."""
    if not isinstance(value, str):
        return ""
    # Before and after cleaning: a cut must not leave half a secret, nor an invisible character hide a whole one.
    text = _without(clean(_without(_head(value, secrets), secrets)[:4000]), secrets)
    text = _URL.sub("[link]", _TOKEN.sub("[token]", _TAG.sub(" ", text)))
    text = " ".join(text.replace("<", " ").replace(">", " ").split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _head(text: str, secrets: tuple[str, ...]) -> str:
    """As much of a very long text as is worth searching, without the secret that the cut may have halved."""
    if len(text) <= _SEARCHED:
        return text
    return _without(text[:_SEARCHED], secrets)[: -_LONGEST_FORM * max(map(len, secrets), default=1)]


def _without(text: str, secrets: tuple[str, ...]) -> str:
    # The longest first: one may be part of another. What is shorter than four characters is found everywhere.
    for secret in sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True):
        if secret.casefold() in text.casefold():
            text = re.sub(re.escape(secret), "[secret]", text, flags=re.IGNORECASE)
        if _ENCODED.search(text) and len(secret) <= _LONGEST_SECRET:
            text = _echoes(secret).sub("[secret]", text)
    return text


@functools.lru_cache(maxsize=8)
def _echoes(secret: str) -> re.Pattern[str]:
    """The secret as it may come back: each character as it is or as forms, addresses, HTML and JSON write it."""
    from html.entities import html5

    names: dict[str, list[str]] = {}
    for name, char in html5.items():
        names.setdefault(char, []).append(name.rstrip(";"))
    return re.compile("".join(f"(?:{_forms(char, names.get(char, []))})" for char in secret), re.IGNORECASE)


def _forms(char: str, names: list[str]) -> str:
    # %25 is the percent sign once more encoded, &amp; the ampersand, two back slashes one. Bounded: text is hostile.
    octets, units = char.encode("utf-8", "replace"), char.encode("utf-16-be", "replace")
    entities = [f"#0{{0,6}}{ord(char)}", f"#x0{{0,6}}{ord(char):x}", *sorted({re.escape(name) for name in names})]
    return "|".join(
        [
            r"\\{0,4}" + re.escape(char),
            *([r"\+"] if char == " " else []),
            "".join(f"%(?:25){{0,3}}{octet:02x}" for octet in octets),
            "".join(rf"\\{{1,4}}u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)),
            *([rf"\\{{1,4}}x{ord(char):02x}"] if ord(char) < 256 else []),
            rf"&(?:amp;){{0,3}}(?:{'|'.join(entities)});?",
        ]
    )


def error_for(  # noqa: PLR0911, PLR0912 - one case for each row of TikTok's error table
    reply: Reply, code: str | None, message: str, log_id: str | None
) -> errors.TikTokError:
    """The error for a research answer that is none of success. 5xx is worth another try, whatever it says."""

    def make(
        kind: type[errors.TikTokError], what: str, *, retryable: bool = False, next_step: str | None = None
    ) -> errors.TikTokError:
        return kind(
            what,
            next_step=next_step,
            status_code=reply.status_code,
            code=code,
            log_id=log_id,
            retryable=retryable or (reply.status_code >= 500 and kind is not errors.QuotaExceededError),
            retry_after=reply.retry_after,
            sandbox=reply.sandbox,
        )

    wait = None if not reply.retry_after else f"Wait {reply.retry_after:.0f} s, as TikTok asks, then call again."
    said = f" TikTok says: {message!r}." if message and message != code else ""
    match (code or "").lower():
        case "access_token_invalid":
            return make(
                errors.AuthenticationError,
                "TikTok refused an access token, and the one made in its place as well.",
                next_step="Call again; if it persists, check the project and its credentials at developers.tiktok.com.",
            )
        case "scope_not_authorized" | "scope_permission_missed":
            return make(errors.ScopeMissingError, "the project may not read this: a scope is missing.")
        case "rate_limit_exceeded":
            return make(
                errors.RateLimitError, "TikTok's short-term rate limit was reached.", retryable=True, next_step=wait
            )
        case "daily_quota_limit_exceeded":
            return make(errors.QuotaExceededError, "TikTok says the daily quota of the project is spent.")
        case "internal_error" | "timeout":
            return make(errors.InternalServerError, f"TikTok reported a fault of its own.{said}", retryable=True)
        case _:
            pass
    if (known := _by_message(message)) is not None:
        kind, what = known
        return make(kind, what)
    match reply.status_code:
        case 401:
            return make(errors.AuthenticationError, f"TikTok answered 401 Unauthorized.{said}")
        case 403:
            return make(errors.PermissionDeniedError, f"TikTok answered 403 Forbidden.{said}")
        case 429:
            return make(
                errors.RateLimitError, f"TikTok answered 429 Too Many Requests.{said}", retryable=True, next_step=wait
            )
        case status if status >= 500:
            return make(errors.InternalServerError, f"TikTok answered HTTP {status}.{said}")
        case _:
            pass
    if code is None:
        return undocumented(reply, "the answer carries no error code", log_id=log_id)
    if code == "ok":
        return undocumented(reply, f"HTTP {reply.status_code} with the code of success", code=code, log_id=log_id)
    return make(errors.BadRequestError, f"TikTok rejected the request.{said}")


def _by_message(message: str) -> tuple[type[errors.APIStatusError], str] | None:
    """Three refusals share the code invalid_params; only the message tells them apart."""
    text = message.casefold().replace("\u2019", "'")
    if "cannot find the user" in text:
        return errors.NotFoundError, "TikTok knows no account of this name."
    if "is private" in text:
        return errors.PermissionDeniedError, "the account is private."
    if "cannot return this user's information" in text:
        return errors.PermissionDeniedError, "TikTok withholds this account's information."
    return None


def token_error(reply: Reply, code: str | None, message: str, log_id: str | None) -> errors.TikTokError:
    """The error for a refusal of the token endpoint; its codes are OAuth's (RFC 6749, 5.2)."""
    known = (
        "access_denied",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    )
    said = f" TikTok says: {message!r}." if message else ""
    if code == "invalid_scope":
        return errors.ScopeMissingError(
            f"TikTok issued no access token: the scope is not granted.{said}",
            status_code=reply.status_code, code=code, log_id=log_id, sandbox=reply.sandbox,
        )  # fmt: skip
    if code in known:
        return errors.AuthenticationError(
            f"TikTok issued no access token for these credentials.{said}",
            status_code=reply.status_code, code=code, log_id=log_id, sandbox=reply.sandbox,
        )  # fmt: skip
    if code in ("server_error", "temporarily_unavailable"):
        return errors.InternalServerError(
            f"TikTok's token endpoint reported a fault of its own.{said}",
            status_code=reply.status_code, code=code, log_id=log_id, retryable=True, sandbox=reply.sandbox,
        )  # fmt: skip
    return error_for(reply, code, message, log_id)


def unparsable(reply: Reply) -> errors.TikTokError:
    """The error for a body that is no JSON: an HTML page of a gateway, or the half of an answer."""
    if reply.status_code in (401, 403, 429) or reply.status_code >= 500:
        error = error_for(reply, None, "", None)
        error.retryable = True
        return error
    return errors.APIResponseValidationError(
        f"TikTok answered HTTP {reply.status_code} with something that is no JSON.",
        status_code=reply.status_code,
        # A redirect is not followed, and asking again would only meet it again.
        retryable=not 300 <= reply.status_code < 400,
        retry_after=reply.retry_after,
        sandbox=reply.sandbox,
    )


def undocumented(
    reply: Reply, what: str, *, code: str | None = None, log_id: str | None = None
) -> errors.APIResponseValidationError:
    """The error for JSON that is not what TikTok documents; asking again would bring the same."""
    return errors.APIResponseValidationError(
        f"TikTok's answer has not the documented shape: {what}.",
        status_code=reply.status_code,
        code=code,
        log_id=log_id,
        retryable=reply.status_code >= 500,
        retry_after=reply.retry_after,
        sandbox=reply.sandbox,
    )
