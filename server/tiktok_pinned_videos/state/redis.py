"""Entries in a Redis that a fleet shares. Knows redis-py and its pitfalls; refuses to know what to do without Redis.

Needs the optional library, imported when a store is made. Each command is one atomic step on the server; those that
Redis does not have are small scripts. Every key is written with an expiry.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlsplit

from .base import StateStoreError

MOST_CONNECTIONS = 16
CONNECT_TIMEOUT = 0.4
REPLY_TIMEOUT = 0.5
CLOSING_WAIT = 0.3

# SCAN walks the whole database, which may hold other programs' millions of keys: no more than these are looked at.
SCAN_STEPS = 10
SCAN_STEP_SIZE = 1000

_COMPARE_AND_DELETE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_INCREMENT = """
local held = redis.call('GET', KEYS[1])
if held and not string.match(held, '^-?%d+$') then held = false end
if ARGV[3] ~= '' and tonumber(held or '0') + tonumber(ARGV[1]) > tonumber(ARGV[3]) then return false end
if held then return redis.call('INCRBY', KEYS[1], ARGV[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return tonumber(ARGV[1])
"""

_T = TypeVar("_T")


class MissingExtraError(StateStoreError):
    """The library that a store needs is not installed; the message says how to install it."""


class RedisStore:
    """A `StateStore` on `redis://` or `rediss://`; `url` has passed `check_url`. Connects on first use.

    Nothing is tried twice and every wait is bounded, so a server that is gone is known within about a second.
    """

    shared = True
    holds_secrets = True
    degraded = False

    def __init__(self, url: str) -> None:
        self._client, self._errors = _connect_later(url)
        self._compare_and_delete = self._client.register_script(_COMPARE_AND_DELETE)
        self._increment = self._client.register_script(_INCREMENT)
        parts = urlsplit(url)
        self._where = f"{parts.scheme} at {parts.hostname}:{parts.port or 6379}"
        self._password = unquote(parts.password or "")
        self._turns = asyncio.Semaphore(MOST_CONNECTIONS)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def get(self, key: str) -> bytes | None:
        """See `StateStore.get`."""
        return await self._run(lambda: self._client.get(key))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `StateStore.set`."""
        await self._run(lambda: self._client.set(key, value, px=_milliseconds(ttl)))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `StateStore.add`."""
        return bool(await self._run(lambda: self._client.set(key, value, px=_milliseconds(ttl), nx=True)))

    async def delete(self, key: str, *, expected: bytes | None = None) -> bool:
        """See `StateStore.delete`."""
        if expected is None:
            return await self._run(lambda: self._client.delete(key)) == 1
        return await self._run(lambda: self._compare_and_delete(keys=[key], args=[expected])) == 1

    async def increment(self, key: str, amount: int = 1, *, ttl: float, ceiling: int | None = None) -> int | None:
        """See `StateStore.increment`."""
        limit = "" if ceiling is None else ceiling
        return await self._run(lambda: self._increment(keys=[key], args=[amount, _milliseconds(ttl), limit]))

    async def keys(self, prefix: str, *, limit: int) -> list[str]:
        """See `StateStore.keys`. In a database of more than 10,000 keys some may be missing."""

        async def scan() -> list[str]:
            pattern = "".join(f"\\{char}" if char in "*?[]\\" else char for char in prefix) + "*"
            found: set[str] = set()
            cursor = 0
            for _ in range(SCAN_STEPS):
                cursor, batch = await self._client.scan(cursor, match=pattern, count=SCAN_STEP_SIZE)
                found.update(key.decode("ascii", "replace") for key in batch)
                if not cursor or len(found) >= limit:
                    break
            return sorted(found)[: max(0, limit)]

        return await self._run(scan)

    async def remaining(self, key: str) -> float | None:
        """Seconds until the key expires, or None when absent or expired."""
        left = await self._run(lambda: self._client.pttl(key))
        return left / 1000 if left > 0 else None

    async def ping(self) -> None:
        """Write something, to see that writing works; `StateStoreError` when it does not."""
        await self.set("state:ping", b"", ttl=1.0)

    def describe(self) -> str:
        """What holds the state, in words and without credentials."""
        return self._where

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSING_WAIT)
            for task in late:
                task.cancel()
        try:
            await self._client.aclose(close_connection_pool=True)
        except self._errors as error:
            raise StateStoreError(self._reason(error)) from None

    async def _run(self, command: Callable[[], Awaitable[_T]]) -> _T:
        # A command whose caller is cancelled runs to its own end, which is near. Cut off in the middle it could leave
        # its connection with an unread answer, or lost to the pool.
        task = asyncio.create_task(self._execute(command))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more

    async def _execute(self, command: Callable[[], Awaitable[_T]]) -> _T:
        try:
            # Waiting for a connection is done here: redis-py's own blocking pool holds a lock while it connects.
            async with asyncio.timeout(REPLY_TIMEOUT):
                await self._turns.acquire()
        except TimeoutError:
            raise StateStoreError(f"all {MOST_CONNECTIONS} connections are busy") from None
        try:
            return await command()
        except self._errors as error:
            await self._drop_idle_connections()
            raise StateStoreError(self._reason(error)) from None
        finally:
            self._turns.release()

    async def _drop_idle_connections(self) -> None:
        """When one connection fails the others have most likely failed too; each would cost an operation to learn."""
        with suppress(*self._errors):
            await self._client.connection_pool.disconnect(inuse_connections=False)

    def _reason(self, error: Exception) -> str:
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return text.replace(self._password, "***") if self._password else text


class _Script(Protocol):
    def __call__(self, *, keys: list[str], args: list[bytes | str | int]) -> Coroutine[Any, Any, Any]: ...


class _Client(Protocol):
    """The part of redis-py's asyncio client that is used here; its own types leave too much unknown."""

    connection_pool: Any

    def get(self, name: str) -> Awaitable[bytes | None]: ...
    def set(self, name: str, value: bytes, *, px: int, nx: bool = False) -> Awaitable[bool | None]: ...
    def delete(self, *names: str) -> Awaitable[int]: ...
    def pttl(self, name: str) -> Awaitable[int]: ...
    def scan(self, cursor: int, *, match: str, count: int) -> Awaitable[tuple[int, list[bytes]]]: ...
    def register_script(self, script: str) -> _Script: ...
    async def aclose(self, close_connection_pool: bool | None = None) -> None: ...


def _connect_later(url: str) -> tuple[_Client, tuple[type[Exception], ...]]:
    """A client that has not connected yet, and the errors it may raise."""
    try:
        from redis.asyncio import ConnectionPool, Redis  # noqa: PLC0415 - an optional extra, paid for when used
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
        from redis.exceptions import RedisError  # noqa: PLC0415 - as above
    except ImportError:
        raise MissingExtraError(
            'a redis:// state store needs the redis library: pip install "tiktok-pinned-videos-mcp[redis]"'
        ) from None
    options: dict[str, Any] = {"ssl_check_hostname": True} if urlsplit(url).scheme == "rediss" else {}
    from_url: Callable[..., Any] = cast(Any, ConnectionPool).from_url
    pool = from_url(
        url,
        max_connections=MOST_CONNECTIONS,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=REPLY_TIMEOUT,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        protocol=2,
        **options,
    )
    client: Any = Redis(connection_pool=pool)
    return client, (RedisError, OSError)


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(ttl * 1000))
