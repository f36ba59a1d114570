"""The token that replicas share."""

from __future__ import annotations

import pytest

from kit.stores import Opened
from kit.virtual import NOON, Clock
from tiktok_pinned_videos.research.oauth import AccessToken
from tiktok_pinned_videos.service.tokens import SharedTokens
from tiktok_pinned_videos.state.base import Entry
from tiktok_pinned_videos.state.open import open_primary

pytestmark = pytest.mark.anyio


async def test_a_token_is_shared_for_as_long_as_it_lives_and_only_that_one_is_discarded(
    clock: Clock, opened: Opened
) -> None:
    store = opened(open_primary("memory:", clock=clock))
    one, other = SharedTokens(store, clock=clock), SharedTokens(store, clock=clock)
    old, new = (AccessToken(value, NOON, NOON + 7200) for value in ("clt.old", "clt.new"))
    await one.save(old)
    assert await other.load() == old
    await other.save(new)
    await one.discard(old)
    assert await one.load() == new
    await one.discard(new)
    assert await other.load() is None

    await one.save(new)
    clock.now += 7200
    assert await other.load() is None
    await store.put(Entry("token", b"another format", 60))
    assert await other.load() is None
