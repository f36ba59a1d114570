"""A store on a Redis that replicas share. Every key has an expiry, and no command is retried.

Operations on several keys need all of them in one slot of a cluster: the part of the prefix in braces is the hash tag.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .base import COUNTERS_KEPT, Counter, Counts, Entry, StateStoreError, Store, UnusableStoreError

MAX_CONNECTIONS: Final = 16
TIMEOUT: Final = 2.0
"""Seconds for a connection or a reply; long enough for a Redis that pauses for a moment."""
_SCAN_STEPS: Final = 10  # SCAN reads the whole database, which may contain millions of keys of other programs
_SCAN_STEP_SIZE: Final = 1000
_CANNOT_WORK: Final[dict[type[Exception], str]] = {
    exceptions.MovedError: "MOVED: it is one node of a cluster, and other nodes have some of the keys",
    exceptions.AskError: "ASK: it is one node of a cluster, and other nodes have some of the keys",
    exceptions.ClusterCrossSlotError: "CROSSSLOT: it is a cluster that keeps the keys of one operation apart",
    exceptions.AuthenticationError: "it does not accept the user name and password of the URL",
    exceptions.NoPermissionError: "NOPERM: its user may not run a command or use a key that is needed",
}

_RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# ARGV: the amount, and the counters as JSON. Reply: whether it was granted, whether entries were lost, and all entries.
_COUNT: Final = """
local amount, counters, lost, fits, reply = tonumber(ARGV[1]), cjson.decode(ARGV[2]), 0, true, {}
for place, key in ipairs(KEYS) do
  local counter, total = counters[place], 0
  for owner, value in pairs(counter.known) do
    if value > tonumber(redis.call('HGET', key, owner) or 0) then
      lost = 1
      redis.call('HSET', key, owner, value)
      redis.call('PEXPIRE', key, counter.ttl)
    end
  end
  for _, value in ipairs(redis.call('HVALS', key)) do total = total + tonumber(value) end
  fits = fits and total + amount <= counter.ceiling
end
local granted = (fits and lost == 0 and amount > 0) and 1 or 0
for place, key in ipairs(KEYS) do
  if granted == 1 then
    redis.call('HINCRBY', key, counters[place].owner, amount)
    redis.call('PEXPIRE', key, counters[place].ttl)
  end
  reply[place] = redis.call('HGETALL', key)
end
return {granted, lost, reply}
"""


class RedisStore(Store):
    """A `Store` on `redis://` or `rediss://`. `url` is valid by `check_url`. It connects on first use.

    No error contains the password.
    """

    shared = True

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        parts = urlsplit(url)
        self._where = f"{parts.scheme} at {parts.hostname}:{parts.port or 6379}"
        self._password = unquote(parts.password or "")
        pool = cast(Any, BlockingConnectionPool).from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            protocol=2,
            **({"ssl_check_hostname": True} if parts.scheme == "rediss" else {}),
        )
        self._client: Any = Redis(connection_pool=pool)

    async def get(self, *keys: str) -> list[bytes | None]:
        with self._translating():
            return await self._client.mget(keys)

    async def put(self, *entries: Entry, delete: Sequence[str] = ()) -> None:
        with self._translating():
            async with self._client.pipeline(transaction=len(entries) + len(delete) > 1) as pipeline:
                if delete:
                    pipeline.delete(*delete)
                for entry in entries:
                    pipeline.set(entry.key, entry.value, px=_milliseconds(entry.ttl))
                await pipeline.execute()

    async def add(self, entry: Entry) -> bool:
        with self._translating():
            return bool(await self._client.set(entry.key, entry.value, px=_milliseconds(entry.ttl), nx=True))

    async def release(self, key: str, value: bytes) -> None:
        with self._translating():
            await self._client.eval(_RELEASE, 1, key, value)

    async def find(self, prefix: str, limit: int) -> list[str]:
        """See `Store.find`. In a database of more than 10,000 keys it may miss some."""
        pattern = "".join(f"\\{char}" if char in "*?[]\\" else char for char in prefix) + "*"
        found: set[str] = set()
        cursor: Any = 0
        for _ in range(_SCAN_STEPS):
            with self._translating():
                cursor, batch = await self._client.scan(cursor, match=pattern, count=_SCAN_STEP_SIZE)
            found.update(key.decode("ascii", "replace") for key in batch)
            if not cursor or len(found) >= limit:
                break
        return sorted(found)[: max(0, limit)]

    async def count(self, counters: Sequence[Counter], amount: int = 1) -> Counts:
        sent = [
            {
                "owner": counter.owner,
                "ceiling": counter.ceiling,
                "ttl": _milliseconds(counter.until + COUNTERS_KEPT - self._clock()),
                "known": dict(counter.known),
            }
            for counter in counters
        ]
        keys = [counter.key for counter in counters]
        with self._translating():
            granted, lost, hashes = await self._client.eval(_COUNT, len(keys), *keys, amount, json.dumps(sent))
        entries = tuple(
            {owner.decode(): int(value) for owner, value in zip(flat[::2], flat[1::2], strict=True)} for flat in hashes
        )
        return Counts(bool(granted), entries, bool(lost))

    async def check(self, prefix: str = "") -> None:
        try:
            with self._translating():
                version = (await self._client.info("server")).get("redis_version", "")
        except UnusableStoreError:  # the user may not run INFO; the operations below show whether they work
            version = ""
        if version and tuple(int(part) for part in re.findall(r"\d+", str(version))[:2]) < (6, 2):
            raise UnusableStoreError(f"Redis {version} is too old; 6.2 or later is needed")
        await super().check(prefix)

    def describe(self) -> str:
        return self._where

    async def aclose(self) -> None:
        with suppress(exceptions.RedisError, OSError):
            await self._client.aclose(close_connection_pool=True)

    @contextmanager
    def _translating(self) -> Generator[None]:
        try:
            yield
        except Exception as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> StateStoreError:
        # The text of an unexpected error may contain anything. That of a pipeline repeats the command with its values.
        text = str(error) if isinstance(error, (exceptions.RedisError, OSError)) else ""
        text = " ".join(text.split()).rpartition("caused error: ")[2].partition(", with args")[0]
        text = text.removeprefix("('").removesuffix("',)").rstrip(".") or type(error).__name__
        if type(error) in _CANNOT_WORK:
            return UnusableStoreError(_CANNOT_WORK[type(error)])
        if "unknown command" in text or "SELECT is not allowed" in text:
            return UnusableStoreError(text)
        return StateStoreError(text.replace(self._password, "***") if self._password else text)


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(ttl * 1000))
