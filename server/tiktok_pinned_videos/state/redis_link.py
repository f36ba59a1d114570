"""The way to a Redis: connections, their bounds, what errors mean. Knows redis-py and its pitfalls.

Needs the optional library, imported when a link is made. Nothing is tried twice. Waiting for one of our own connections
is not bounded and is no failure; from then on commands take a few seconds at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from .base import StateStoreError
from .lookup import Lookup

MOST_CONNECTIONS = 16
# A machine that stands still for a second must not look like a Redis that is gone; one that is gone refuses at once.
CONNECT_TIMEOUT = 2.0
REPLY_TIMEOUT = 2.0
CLOSING_WAIT = 0.2

Command: TypeAlias = tuple[str | bytes | int, ...]
"""Name and arguments."""


class MissingExtraError(StateStoreError):
    """The library that a store needs is not installed; the message says how to install it."""


class ForbiddenError(StateStoreError):
    """This user may not run the command; the message names both."""


class RedisLink:
    """Runs commands on the Redis of a URL. Raises `StateStoreError`, its text without the password."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = f"{parts.scheme} at {parts.hostname}:{parts.port or 6379}"
        self._password = unquote(parts.password or "")
        self._lookup = Lookup(parts.hostname or "")
        self._client, self._errors, self._forbidden = _connect_later(url, self._lookup)
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._failed_at = 0.0
        self._failure = ""

    def describe(self) -> str:
        """What is at the other end, without credentials."""
        return self._where

    async def run(self, commands: Callable[[float], list[Command]]) -> list[Any]:
        """The reply to each command, sent together. They are made as they are sent, from the event loop's time then."""
        # Commands whose caller is cancelled run to their own end, which is near. Cut off in the middle they could leave
        # a connection with an unread answer, or lost to the pool.
        task = asyncio.create_task(self._execute(commands))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Wait a little for what is under way, then close all connections."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSING_WAIT)
            for task in late:
                task.cancel()
        try:
            await self._client.aclose(close_connection_pool=True)
        except self._errors as error:
            raise StateStoreError(self._reason(error)) from None

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more

    async def _execute(self, commands: Callable[[float], list[Command]]) -> list[Any]:
        now = asyncio.get_running_loop().time
        asked_at = now()
        # Waiting for a connection is done here: redis-py's own blocking pool holds a lock while it connects.
        async with self._free:
            if asked_at < self._failed_at:  # whoever waited behind the one that failed need not wait as long again
                raise StateStoreError(self._failure)
            try:
                await self._lookup.look_up(CONNECT_TIMEOUT)
                pipeline = self._client.pipeline(transaction=False)
                for command in commands(now()):
                    pipeline.execute_command(*command)
                replies: list[Any] = await pipeline.execute(raise_on_error=False)
                for fault in replies:
                    if isinstance(fault, Exception):
                        raise fault
            except self._forbidden as error:
                raise ForbiddenError(self._reason(error)) from None
            except (*self._errors, TimeoutError) as error:
                self._failed_at, self._failure = now(), self._reason(error)
                await self._drop_idle_connections()
                raise StateStoreError(self._failure) from None
            return replies

    async def _drop_idle_connections(self) -> None:
        """When one connection fails the others have most likely failed too; each would cost an operation to learn."""
        self._lookup.forget()
        with suppress(*self._errors):
            await self._client.connection_pool.disconnect(inuse_connections=False)

    def _reason(self, error: Exception) -> str:
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return text.replace(self._password, "***") if self._password else text


def _connect_later(url: str, lookup: Lookup) -> tuple[Any, tuple[type[Exception], ...], type[Exception]]:
    """redis-py's client, not connected yet; the errors it may raise, and the one that says a command is not allowed."""
    try:
        from redis.asyncio import ConnectionPool, Redis  # noqa: PLC0415 - an optional extra, paid for when used
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
        from redis.exceptions import NoPermissionError, RedisError  # noqa: PLC0415 - as above
    except ImportError:
        raise MissingExtraError(
            "a redis:// state store needs the redis library: install this package with its extra, as in "
            'pip install ".[redis]" in a copy of the repository'
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
    plain: Any = pool.connection_class
    shared: dict[str, Any] = {}

    class Looked(plain):
        """Connects to the address that was looked up; the certificate still has to be for the name."""

        def _connection_arguments(self) -> dict[str, Any]:
            if hasattr(self, "ssl_context"):
                # One for all: to read the certificates of this machine anew for each of many at once takes too long.
                self.ssl_context = shared.setdefault("TLS", self.ssl_context)
            arguments: dict[str, Any] = {**plain._connection_arguments(self)}
            if "ssl" in arguments:
                arguments["server_hostname"] = arguments["host"]
            return arguments | {"host": lookup.address or arguments["host"]}

    pool.connection_class = Looked
    client: Any = Redis(connection_pool=pool)
    return client, (RedisError, OSError), NoPermissionError
