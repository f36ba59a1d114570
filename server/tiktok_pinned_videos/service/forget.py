"""Delete everything that a store holds about accounts, for every client key that used it. Sends no request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tiktok_pinned_videos.state.base import Counter
from tiktok_pinned_videos.state.open import open_primary
from tiktok_pinned_videos.state.resilient import NAMESPACES

from .accounts import account_keys


class Forgotten(NamedTuple):
    """The store, how many sources (client key and address) used it, and how many values were deleted by username."""

    state: str
    namespaces: int
    entries: Mapping[str, int]


async def forget_accounts(state_url: str, usernames: Sequence[str]) -> Forgotten:
    """Delete the accounts in every namespace of the store. Raises `StateStoreError` if it cannot be used."""
    store = open_primary(state_url)
    try:
        listed = await store.count([Counter(NAMESPACES, 0, time.time())], 0)
        prefixes = sorted(listed.entries[0])
        deleted = dict.fromkeys(usernames, 0)
        for name in usernames:
            for prefix in prefixes:
                keys = [prefix + key for key in account_keys(name, time.time())]
                deleted[name] += sum(value is not None for value in await store.get(*keys))
                await store.put(delete=keys)
        return Forgotten(store.describe(), len(prefixes), deleted)
    finally:
        await store.aclose()
