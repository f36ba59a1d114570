"""One thing to do with a store, written as a function: `await stored.get(store, "key")`."""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_pinned_videos.state.base import StateStore
from tiktok_pinned_videos.state.steps import Delete, Find, Hold, Increment, RaiseTo, Read, Remaining, Renew, Write


async def get(store: StateStore, key: str) -> bytes | None:
    return (await store.do(Read((key,))))[0]


async def get_many(store: StateStore, keys: Sequence[str]) -> list[bytes | None]:
    return await store.do(Read(tuple(keys)))


async def put(store: StateStore, key: str, value: bytes, *, ttl: float) -> None:
    await store.do(Write((key,), value, ttl))


async def add(store: StateStore, key: str, value: bytes, *, ttl: float) -> bool:
    return await store.do(Write((key,), value, ttl, only_if_absent=True))


async def renew(store: StateStore, key: str, value: bytes, *, ttl: float) -> bool:
    return await store.do(Renew((key,), value, ttl))


async def hold(store: StateStore, key: str, *, ttl: float) -> None:
    await store.do(Hold((key,), ttl))


async def remaining(store: StateStore, key: str) -> float:
    return await store.do(Remaining((key,)))


async def delete(store: StateStore, *keys: str, expected: bytes | None = None) -> bool:
    return await store.do(Delete(keys, expected))


async def increment(
    store: StateStore, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
) -> int | None:
    return await store.do(Increment((key,), amount, ttl, ceiling, least))


async def raise_to(store: StateStore, key: str, least: int, *, ttl: float) -> int:
    return await store.do(RaiseTo((key,), least, ttl))


async def keys(store: StateStore, prefix: str, *, limit: int) -> list[str]:
    return await store.do(Find((prefix,), limit))
