"""The pause after TikTok's short-term rate limit: for all calls of the process, and of the fleet through the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tiktok_pinned_videos.state.base import StateStore

LONGEST_PAUSE: Final = 60.0
"""Seconds; after that somebody looks again, however long TikTok asked to wait."""


class SharedPace:
    """Implements `research.client.Pace`."""

    def __init__(self, store: StateStore, *, namespace: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._key = f"{namespace}:pause"
        self._clock = clock
        self._until = 0.0

    async def remaining(self) -> float:
        """Seconds until requests may be sent again; 0.0 when they may."""
        if self._store.shared:
            value = await self._store.get(self._key)
            if value is not None:
                self._until = max(self._until, _seconds(value))
        left = self._until - self._clock()
        # No pause is longer, so what seems to be was set before a clock was put back, or by one that is wrong.
        return left if 0 < left <= LONGEST_PAUSE else 0.0

    async def pause(self, seconds: float) -> None:
        """Have everyone wait that long, at most a minute."""
        seconds = min(LONGEST_PAUSE, max(0.05, seconds))
        self._until = max(self._until, self._clock() + seconds)
        await self._store.set(self._key, f"{self._until:.3f}".encode(), ttl=seconds)


def _seconds(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0
