"""The one request that `doctor` sends: whether TikTok gives a token, and whether its endpoint answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.presentation.text import reason
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.settings import Settings

from .findings import Finding, Mark

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import PinnedVideosService

ACCOUNT: Final = "tiktok"
"""Whom the one request is about: TikTok's own account."""


async def requests(settings: Settings) -> AsyncIterator[Finding]:
    """What became of the token and of one research request, which is announced first."""
    service = build_service(settings)
    try:
        quota = await service.quota()
        cost = "" if settings.sandbox else ", which counts as one of today's quota"
        yield Finding(
            Mark.NEXT,
            "endpoint",
            f"asking for a token and sending one research request about @{ACCOUNT}{cost} "
            f"({quota.used} of {quota.quota} used so far).",
        )
        error: TikTokError | None = None
        pinned = 0
        try:
            pinned = len((await service.fetch_raw(ACCOUNT, ("id",))).snapshot.videos)
        except TikTokError as fault:
            error = fault
        yield _token(service, error, "the sandbox" if settings.sandbox else "TikTok")
        yield _endpoint(service, error, pinned)
    finally:
        await service.aclose()


def _token(service: PinnedVideosService, error: TikTokError | None, giver: str) -> Finding:
    # A research request is only sent with a token, so one that was sent, or a token at hand, says enough.
    if error is None or error.requests or service.token is not None:
        left = "" if service.token is None else _minutes(service.token.expires_at - time.time())
        return Finding(Mark.OK, "token", f"{giver} gave one{left}.")
    return Finding(Mark.FAIL, "token", f"{error.status}: {reason(error)}")


def _minutes(seconds: float) -> str:
    return f", good for {max(0, round(seconds / 60))} minutes"


def _endpoint(service: PinnedVideosService, error: TikTokError | None, pinned: int) -> Finding:
    subject = "endpoint"
    if error is None:
        return Finding(Mark.OK, subject, f"answered: @{ACCOUNT} has {pinned or 'no'} pinned videos.")
    if not error.requests and service.token is None:
        return Finding(Mark.SKIP, subject, "nothing sent without a token.")
    said = f"{error.status}: {reason(error)}"
    match error.status:
        case Status.NOT_FOUND | Status.REFUSED:
            # About this account; the endpoint itself works.
            return Finding(Mark.OK, subject, f"answered about @{ACCOUNT}: {said}")
        case Status.QUOTA_EXCEEDED | Status.RATE_LIMITED:
            return Finding(Mark.WARN, subject, said)
        case _:
            return Finding(Mark.FAIL, subject, said)
