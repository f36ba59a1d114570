"""One access token for all replicas: `research.oauth.TokenStore` on a `StateStore` that may hold secrets (Redis)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from tiktok_pinned_videos.research.oauth import AccessToken, TokenState
from tiktok_pinned_videos.state.base import StateStore

from .flight import Lease

_KEY: Final = "token"
_LEASE_KEY: Final = "token-lease"


class SharedTokens:
    """The replica that holds the lease fetches; the others wait for what it saves, at most as long as the lease."""

    def __init__(self, store: StateStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._lease = Lease(store, _LEASE_KEY)
        self._clock = clock

    async def load(self) -> AccessToken | None:
        """The token another replica fetched, while it is fresh."""
        value = await self._store.get(_KEY)
        if value is None:
            return None
        try:
            record: Any = json.loads(value)
            token = AccessToken(str(record["value"]), float(record["issued_at"]), float(record["expires_at"]))
        except (ValueError, TypeError, KeyError):
            return None
        return token if token.state(self._clock()) is TokenState.FRESH else None

    async def acquire(self) -> AccessToken | None:
        """None when this replica should fetch, else the token that another one fetched meanwhile."""
        while not await self._lease.try_acquire():
            await self._lease.wait()
            token = await self.load()
            if token is not None:
                return token
        # Between the look and the lease another replica may have finished.
        token = await self.load()
        if token is not None:
            await self.release()
        return token

    async def save(self, token: AccessToken) -> None:
        """Share a token just fetched, for as long as it lives."""
        await self._store.set(_KEY, _encoded(token), ttl=max(1.0, token.expires_at - self._clock()))

    async def release(self) -> None:
        """Give the lease back; harmless when another replica holds it."""
        await self._lease.release()

    async def invalidate(self, token: AccessToken) -> None:
        """Forget this token, only if it is still that one."""
        await self._store.delete(_KEY, expected=_encoded(token))


def _encoded(token: AccessToken) -> bytes:
    record = {"value": token.value, "issued_at": token.issued_at, "expires_at": token.expires_at}
    return json.dumps(record).encode()
