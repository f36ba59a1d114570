"""What the client needs from a quota: which requests may be sent, and the context of a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class PausedError(Exception):
    """Nothing was sent: requests are paused for another `seconds` after TikTok's short-term rate limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"paused for {seconds:.1f} s")
        self.seconds = seconds


class UnwantedError(Exception):
    """Nothing was sent: nobody waits for the answer any more."""


class Reservation(Protocol):
    """One request, counted in the day it was reserved in."""

    async def answered(self) -> None:
        """TikTok looked for the account, so something of that day's quota was left."""
        ...

    async def refused(self) -> None:
        """TikTok says that nothing of that day's quota is left."""
        ...


class Budget(Protocol):
    """Which requests may be sent: the day's quota, and the pause after a rate limit."""

    async def reserve(self, known: object = None) -> Reservation:
        """Take one request. Raises `QuotaExceededError` when none is left, `PausedError` while none may be sent.

        `known`: what the caller has read of it just now, so that it need not be read again.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Have everyone wait that long."""
        ...


@dataclass(slots=True)
class RequestContext:
    """One account being asked about, from the first request to the last; travels with its requests."""

    wanted: Callable[[], bool] = lambda: True
    """Whether anybody still waits for the answer."""
    requests: int = 0
    """Research requests sent so far, retries included."""
    on_the_wire: bool = False
    """Whether a request is under way: it is finished, whoever has left."""
    quota_state: object = None
    """What was read of the budget when it began, for the first reservation; the budget's own value."""
    reservation: Reservation | None = None
    """Of the request sent last."""
