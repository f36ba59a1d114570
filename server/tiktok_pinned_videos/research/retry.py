"""When to try again: at most twice per account, token requests included, and never beyond the deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import RateLimitError, TikTokError

_RATE_LIMIT_DELAYS = (1.0, 2.0)
_FAULT_DELAYS = (0.25, 0.75)
_JITTER = 0.25


@dataclass(slots=True)
class RetrySchedule:
    """The tries of one account: call `delay_after` with each error, in order."""

    random: Callable[[], float]
    """Uniform in [0, 1)."""
    retries: int = field(default=0, init=False)

    def delay_after(self, error: TikTokError, *, remaining: float) -> float | None:
        """Seconds to wait before the next try, with `remaining` seconds left; None if `error` is final."""
        if not error.retryable or self.retries >= 2:
            return None
        if isinstance(error, RateLimitError):
            base = error.retry_after if error.retry_after is not None else _RATE_LIMIT_DELAYS[self.retries]
        else:
            base = max(_FAULT_DELAYS[self.retries], error.retry_after or 0.0)
        # Jitter only adds: a wait shorter than TikTok asked for would meet the limit again.
        delay = base + _JITTER * self.random() * min(base, 4.0)
        if delay >= remaining:
            return None
        self.retries += 1
        return delay
