"""One access token for all replicas: `research.oauth.TokenStore` on a `Store` that may hold secrets (Redis)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import TypeAdapter

from tiktok_pinned_videos.research.oauth import AccessToken
from tiktok_pinned_videos.state.base import Entry, Store

from .accounts import decoded

_KEY: Final = "token"
_JSON: Final = TypeAdapter(AccessToken)


class SharedTokens:
    """The replicas' token under one key of the store."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def load(self) -> AccessToken | None:
        """Return the token that a replica fetched last."""
        (value,) = await self._store.get(_KEY)
        return decoded(_JSON, value)

    async def save(self, token: AccessToken) -> None:
        """Share a token just fetched, for as long as it lives."""
        await self._store.put(Entry(_KEY, _JSON.dump_json(token), max(1.0, token.expires_at - self._clock())))

    async def discard(self, token: AccessToken) -> None:
        """Delete this token, only if the store still holds that one."""
        await self._store.release(_KEY, _JSON.dump_json(token))
