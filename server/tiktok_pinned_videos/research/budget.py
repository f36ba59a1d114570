"""What the client needs from a quota: which requests may be sent, and the context of a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol


class PausedError(Exception):
    """Nothing was sent: requests are paused for another `seconds` after TikTok's short-term rate limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"paused for {seconds:.1f} s")
        self.seconds = seconds


class UnwantedError(Exception):
    """Nothing was sent: no caller waits for the answer any more, or the program ends."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """One request, counted in the UTC day it was reserved in."""

    day: date
    probe: bool = False
    """Whether it is sent to find out if a day that TikTok closed is open again."""


class Budget(Protocol):
    """Which requests may be sent: the day's quota, and the pause after a rate limit."""

    async def reserve(self, context: RequestContext) -> Reservation:
        """Take one request. Raises `QuotaExceededError` when none is left, `PausedError` while none may be sent."""
        ...

    async def answered(self, reservation: Reservation) -> None:
        """Note that TikTok looked for the account, so something of that day's quota was left."""
        ...

    async def refused(self, reservation: Reservation) -> None:
        """Note that TikTok says that nothing of that day's quota is left."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let all processes wait that long, at most a minute; a longer pause is not shortened."""
        ...


@dataclass(slots=True)
class RequestContext:
    """What is known of one account's request while it runs, retries included."""

    wanted: Callable[[], bool] = lambda: True
    """Whether another request may be sent: a caller waits for the answer."""
    requests: int = 0
    """Research requests sent so far, retries included."""
    on_the_wire: bool = False
    """Whether a request was sent whose answer is still to be read or stored: it is finished even without callers."""
    reservation: Reservation | None = None
    """Of the request sent last."""
