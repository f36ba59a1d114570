"""Entries in a Redis that a fleet shares. Knows what each step means there; how a command is sent is `redis_link`'s.

Each step is atomic on the server; what Redis has no command for is a small script. Every key is written with an expiry.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from .base import CounterLostError, StateStoreError
from .redis_link import RedisLink

# SCAN walks the whole database, which may hold other programs' millions of keys: no more than these are looked at.
SCAN_STEPS = 10
SCAN_STEP_SIZE = 1000

_DELETE_EXPECTED = """
local gone = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then gone = gone + redis.call('DEL', key) end
end
return gone
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_HOLD = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
"""
_RAISE = """
local held = redis.call('GET', KEYS[1])
if not held or not string.match(held, '^%d+$') or tonumber(held) < tonumber(ARGV[1]) then
  local left = redis.call('PTTL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', left > 0 and left or ARGV[2])
  return tonumber(ARGV[1])
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return tonumber(held)
"""


class RedisStore:
    """A `StateStore` on `redis://` or `rediss://`; `url` has passed `check_url`. Connects on first use."""

    shared = True
    holds_secrets = True
    degraded = False

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url)
        self._delete_expected = self._link.script(_DELETE_EXPECTED)
        self._renew = self._link.script(_RENEW)
        self._hold = self._link.script(_HOLD)
        self._raise = self._link.script(_RAISE)
        self._may_scan = True

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._link.run(lambda client: client.get(key))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `StateStore.get_many`."""
        return await self._link.run(lambda client: client.mget(keys))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        await self._link.run(lambda client: client.set(key, value, px=_milliseconds(ttl)))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""
        return bool(await self._link.run(lambda client: client.set(key, value, px=_milliseconds(ttl), nx=True)))

    async def renew(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.renew`."""
        return await self._link.run(lambda _: self._renew(keys=[key], args=[value, _milliseconds(ttl)])) == 1

    async def hold(self, key: str, *, ttl: float) -> None:
        """See `StateStore.hold`."""
        await self._link.run(lambda _: self._hold(keys=[key], args=[_milliseconds(ttl)]))

    async def remaining(self, key: str) -> float:
        """See `StateStore.remaining`."""
        return max(0, await self._link.run(lambda client: client.pttl(key))) / 1000

    async def delete(self, *keys: str, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        if expected is None:
            return await self._link.run(lambda client: client.delete(*keys)) > 0
        return await self._link.run(lambda _: self._delete_expected(keys=list(keys), args=[expected])) > 0

    async def increment(
        self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None, least: int = 0
    ) -> int | None:
        """See `StateStore.increment`.

        One command where nothing stands against it. What went beyond the ceiling, or was counted by a Redis that had
        lost the counter, is taken back in a second one.
        """
        try:
            total = await self._link.run(lambda client: client.incrby(key, amount))
        except StateStoreError as error:
            if "not an integer" not in str(error):
                raise
            return await self.raise_to(key, amount, ttl=ttl)
        if total - amount < least or (ceiling is not None and total > ceiling):
            await self._link.run(lambda client: client.decrby(key, amount))
        if total == amount:  # a key that was just made has no expiry yet
            await self.raise_to(key, 0, ttl=ttl)
        if total - amount < least:
            raise CounterLostError(f"{total - amount} instead of {least} or more")
        return total if ceiling is None or total <= ceiling else None

    async def raise_to(self, key: str, least: int, *, ttl: float) -> int:
        """See `StateStore.raise_to`."""
        return await self._link.run(lambda _: self._raise(keys=[key], args=[least, _milliseconds(ttl)]))

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`. In a database of more than 10,000 keys some may be missing.

        Nothing is found by a user that may not SCAN: said once in the log, and no reason to do without Redis.
        """
        found: set[str] = set()
        cursor = 0
        pattern = "".join(f"\\{char}" if char in "*?[]\\" else char for char in prefix) + "*"
        for _ in range(SCAN_STEPS if self._may_scan else 0):
            at = cursor
            reply = await self._link.run_if_allowed(
                lambda client, at=at: client.scan(at, match=pattern, count=SCAN_STEP_SIZE)
            )
            if reply is None:
                self._may_scan = False
                break
            cursor, batch = reply
            found.update(key.decode("ascii", "replace") for key in batch)
            if not cursor or len(found) >= limit:
                break
            await asyncio.sleep(0)
        return sorted(found)[: max(0, limit)]

    async def ping(self) -> None:
        """See `StateStore.ping`."""
        await self.set("ping", b"1", ttl=1.0)

    def describe(self) -> str:
        """What holds the state, in words and without credentials."""
        return self._link.describe()

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._link.aclose()


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(ttl * 1000))
