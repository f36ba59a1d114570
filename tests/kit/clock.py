"""A clock that a test moves."""

from __future__ import annotations

NOON = 1_780_315_200.0
"""2026-06-01T12:00:00Z"""


class Clock:
    """Unix seconds: `clock()` reads them, `clock.now += 5` moves them."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
