"""One access token for all replicas: `research.oauth.TokenStore` on a `StateStore` that may hold secrets (Redis)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from tiktok_pinned_videos.research.oauth import AccessToken, TokenState
from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Delete, Read, Write

from .single_flight import Lease

_KEY: Final = "token"
_LEASE_KEY: Final = "token-lease"


class SharedTokens:
    """The replica that holds the lease fetches; the others wait for what it saves, at most as long as the lease."""

    def __init__(self, store: StateStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._lease = Lease(store, _LEASE_KEY)
        self._clock = clock

    async def acquire(self) -> AccessToken | None:
        """A fresh token that another replica has fetched, or None when this one should fetch."""
        while True:
            acquired, ((value,),) = await self._lease.try_acquire(Read((_KEY,)))
            token = self._decoded(value)
            if token is not None:
                await self.release()
            if acquired or token is not None:
                return token
            await self._lease.wait()

    async def save(self, token: AccessToken) -> None:
        """Share a token just fetched, for as long as it lives."""
        await self._store.do(Write((_KEY,), _encoded(token), max(1.0, token.expires_at - self._clock())))

    async def release(self) -> None:
        """Give the lease back; harmless when another replica holds it."""
        await self._lease.release()

    async def invalidate(self, token: AccessToken) -> None:
        """Forget this token, only if it is still that one."""
        await self._store.do(Delete((_KEY,), _encoded(token)))

    def _decoded(self, value: bytes | None) -> AccessToken | None:
        try:
            record: Any = json.loads(value or b"")
            token = AccessToken(str(record["value"]), float(record["issued_at"]), float(record["expires_at"]))
        except (ValueError, TypeError, KeyError):
            return None
        return token if token.state(self._clock()) is TokenState.FRESH else None


def _encoded(token: AccessToken) -> bytes:
    record = {"value": token.value, "issued_at": token.issued_at, "expires_at": token.expires_at}
    return json.dumps(record).encode()
