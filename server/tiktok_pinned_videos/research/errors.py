"""The failures of a request for an account's pinned videos, as one tree of exceptions.

An error says what happened and what to do. Untrusted text in it is already clean. It contains no secret.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self


class Status(StrEnum):
    """The status of an answer: two of success, twelve of failure."""

    FOUND = "found"
    NOTHING_PINNED = "nothing_pinned"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    INVALID_ARGUMENT = "invalid_argument"
    NOT_CONFIGURED = "not_configured"
    AUTH_FAILED = "auth_failed"
    SCOPE_MISSING = "scope_missing"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    UPSTREAM_ERROR = "upstream_error"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    INTERNAL_ERROR = "internal_error"


class TikTokError(Exception):
    """The root of the tree.

    It holds `what` happened and the `next_step`; TikTok's `code` and `log_id`; the response's `status_code` and `body`;
    whether trying again can help (`retryable`) and after how many seconds (`retry_after`, if TikTok said so); whether
    it came from the `sandbox`; how many research `requests` it cost.
    """

    status: Status = Status.UPSTREAM_ERROR
    next_step: str = "Try again later."
    for_every_account: bool = False
    """Whether a request for another account would fail the same way now."""

    def __init__(
        self,
        what: str,
        *,
        next_step: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        log_id: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        sandbox: bool = False,
    ) -> None:
        super().__init__(what)
        self.what = what
        if next_step is not None:
            self.next_step = next_step
        self.status_code = status_code
        self.code = code
        self.log_id = log_id
        self.retryable = retryable
        self.retry_after = retry_after
        self.sandbox = sandbox
        self.body = b""
        self.requests = 0

    def again(self, *, requests: int = 0) -> Self:
        """Copy the failure for another call, because an exception raised in several tasks would share its traceback."""
        twin = copy.copy(self)
        twin.requests = requests
        return twin

    def __str__(self) -> str:
        return f"{self.what} {self.next_step}".rstrip()


class ConfigurationError(TikTokError):
    """No usable credentials, or a store that cannot work."""

    status = Status.NOT_CONFIGURED
    for_every_account = True
    next_step = (
        "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET to the client key and secret of an approved Research API "
        "project and start the server again, or start it with --sandbox to try it with invented data. MCP clients do "
        "not pass on the shell's variables: set them in `env` of this server's entry in the client's configuration."
    )


class InvalidArgumentError(TikTokError):
    """A call that cannot be carried out; no request was sent."""

    status = Status.INVALID_ARGUMENT
    next_step = ""


class APIConnectionError(TikTokError):
    """No complete HTTP response arrived."""

    status = Status.UNREACHABLE
    next_step = "Check the network connection and any proxy, then call again."


class APITimeoutError(APIConnectionError):
    """The time for this account ended before a response arrived."""

    status = Status.TIMEOUT
    next_step = "Call again; if it keeps happening, raise TIKTOK_TIMEOUT."


class APIStatusError(TikTokError):
    """TikTok answered with an error code or an HTTP status of failure."""


class BadRequestError(APIStatusError):
    """TikTok rejected the request for a reason that has no status of its own."""

    next_step = "Calling again with the same arguments will not help."


class AuthenticationError(APIStatusError):
    """TikTok did not accept the credentials, or the token made from them."""

    status = Status.AUTH_FAILED
    for_every_account = True
    next_step = "Check TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET against the project page at developers.tiktok.com."


class PermissionDeniedError(APIStatusError):
    """TikTok does not return this account: it is private, restricted or not covered."""

    status = Status.REFUSED
    next_step = "Calling again will not help; the API covers only public accounts."


class ScopeMissingError(PermissionDeniedError):
    """The project does not have the scope `research.data.basic`."""

    status = Status.SCOPE_MISSING
    for_every_account = True
    next_step = (
        "Have the scope research.data.basic approved for the project at developers.tiktok.com; calling again will "
        "not help before."
    )


class NotFoundError(APIStatusError):
    """TikTok found no account with this name."""

    status = Status.NOT_FOUND
    next_step = (
        "Check the spelling; usernames can change every 30 days. The API covers only public accounts of people aged "
        "18 or over, and not in every region, so the account may exist all the same."
    )


class RateLimitError(APIStatusError):
    """Too many requests in a short time."""

    status = Status.RATE_LIMITED
    next_step = "Wait a minute, then call again."


class QuotaExceededError(RateLimitError):
    """The day's requests are used up, by TikTok's count or by ours."""

    status = Status.QUOTA_EXCEEDED
    for_every_account = True
    next_step = "Call again after the quota resets at 00:00 UTC."


class InternalServerError(APIStatusError):
    """A fault on TikTok's side."""

    next_step = "The fault is on TikTok's side; call again in a few minutes."


class APIResponseValidationError(TikTokError):
    """TikTok's response does not have the documented format, so nothing in it is used."""

    next_step = "Call again later; if it persists, TikTok may have changed its API and this server needs an update."


class InternalError(TikTokError):
    """A fault inside this program; its log has the details."""

    status = Status.INTERNAL_ERROR
    next_step = "Calling again may help; please report it, with what the server's log says."

    def __init__(self, what: str = "a fault inside this server.") -> None:
        super().__init__(what)


def reset_time(now: float) -> str:
    """When TikTok resets the daily quota, for people; `now` in Unix seconds."""
    return f"{datetime.fromtimestamp(now, UTC).date() + timedelta(days=1)} 00:00 UTC"
