"""The one research request of `doctor`: does TikTok issue a token, and does its endpoint answer?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from tiktok_pinned_videos.presentation.text import reason
from tiktok_pinned_videos.research.errors import Status, TikTokError

from .findings import Finding, Mark

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import PinnedVideosService

ACCOUNT: Final = "tiktok"
"""The account of the request: TikTok's own."""


async def requests(service: PinnedVideosService, *, sandbox: bool) -> AsyncIterator[Finding]:
    """Announce the request, send it, and report on the token and the endpoint."""
    quota = await service.quota()
    cost = "" if sandbox else ", which counts as one of today's quota"
    used = f"({quota.used} of {quota.quota} used so far)"
    announced = f"requesting a token and sending one research request about @{ACCOUNT}{cost} {used}."
    yield Finding(Mark.NEXT, "endpoint", announced)
    error: TikTokError | None = None
    pinned = 0
    try:
        pinned = len((await service.fetch_raw(ACCOUNT, ("id",))).snapshot.videos)
    except TikTokError as fault:
        error = fault
    # A research request is sent only with a token.
    has_token = error is None or error.requests > 0 or service.token is not None
    if error is not None and not has_token:
        yield Finding(Mark.FAIL, "token", f"{error.status}: {reason(error)}")
        yield Finding(Mark.SKIP, "endpoint", "nothing sent without a token.")
        return
    left = (
        f", valid for {max(0, round((service.token.expires_at - time.time()) / 60))} minutes" if service.token else ""
    )
    yield Finding(Mark.OK, "token", f"{'the sandbox' if sandbox else 'TikTok'} issued one{left}.")
    yield _endpoint(error, pinned)


def _endpoint(error: TikTokError | None, pinned: int) -> Finding:
    if error is None:
        return Finding(Mark.OK, "endpoint", f"answered: @{ACCOUNT} has {pinned or 'no'} pinned videos.")
    text = f"{error.status}: {reason(error)}"
    match error.status:
        case Status.NOT_FOUND | Status.REFUSED:
            # About this account; the endpoint itself works.
            return Finding(Mark.OK, "endpoint", f"answered about @{ACCOUNT}: {text}")
        case Status.QUOTA_EXCEEDED | Status.RATE_LIMITED:
            return Finding(Mark.WARN, "endpoint", text)
        case _:
            return Finding(Mark.FAIL, "endpoint", text)
