"""The protocol between the client and a quota: which requests may be sent, and the context of a request."""

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
    """Whether it is sent to check if TikTok accepts requests again after it closed the day."""


class Budget(Protocol):
    """Which requests may be sent: the day's quota, and the pause after a rate limit."""

    async def reserve(self, context: RequestContext) -> Reservation:
        """Take one request. Raises `QuotaExceededError` when none is left, `PausedError` while none may be sent."""
        ...

    async def answered(self, reservation: Reservation) -> None:
        """Note that TikTok answered about the account, so the day's quota was not used up."""

    async def refused(self, reservation: Reservation) -> None:
        """Note that TikTok refused because the day's quota is used up."""

    async def pause(self, seconds: float) -> None:
        """Pause the requests of all processes, for at most a minute. A longer pause is not shortened."""


@dataclass(slots=True)
class RequestContext:
    """The state of one account's request while it runs, retries included."""

    wanted: Callable[[], bool] = lambda: True
    """Whether another request may be sent: a caller waits for the answer."""
    requests: int = 0
    """Research requests sent so far, retries included."""
    on_the_wire: bool = False
    """Whether a request was sent whose answer is still to be read or stored: it is finished even without callers."""
    reservation: Reservation | None = None
    """The reservation of the request sent last."""
