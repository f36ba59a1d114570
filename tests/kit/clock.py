"""A clock that a test moves."""

from __future__ import annotations

import asyncio

NOON = 1_780_315_200.0
"""2026-06-01T12:00:00Z"""


class Clock:
    """Unix seconds: `clock()` reads them, `clock.now += 5` moves them."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def settle(turns: int = 20) -> None:
    """Let tasks that are ready run, and those that they wake."""
    for _ in range(turns):
        await asyncio.sleep(0)
