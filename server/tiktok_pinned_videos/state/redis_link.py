"""The way to a Redis: connections, their bounds, name look-ups, what errors mean. Knows redis-py and its pitfalls.

Needs the optional library, imported when a link is made. Nothing is tried twice. Waiting for one of our own connections
is not bounded and is no failure; from then on a step takes a few seconds at most.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlsplit

from .base import StateStoreError

MOST_CONNECTIONS = 16
# A machine that stands still for a second must not look like a Redis that is gone; one that is gone refuses at once.
CONNECT_TIMEOUT = 2.0
REPLY_TIMEOUT = 2.0
CLOSING_WAIT = 0.3

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class MissingExtraError(StateStoreError):
    """The library that a store needs is not installed; the message says how to install it."""


class ForbiddenError(StateStoreError):
    """This user may not run the command; the message names both."""


class RedisLink:
    """Runs commands on the Redis of a URL. Raises `StateStoreError`, its text without the password."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._where = f"{parts.scheme} at {parts.hostname}:{parts.port or 6379}"
        self._password = unquote(parts.password or "")
        self._names = _Names(self._host)
        self._client, self._errors, self._forbidden = _connect_later(url, self._names)
        self._turns = asyncio.Semaphore(MOST_CONNECTIONS)
        self._under_way: set[asyncio.Task[Any]] = set()

    def script(self, text: str) -> Script:
        """A script to be run with `run`."""
        return self._client.register_script(text)

    def describe(self) -> str:
        """What is at the other end, without credentials."""
        return self._where

    async def run_if_allowed(self, command: Callable[[Client], Awaitable[_T]]) -> _T | None:
        """The reply, or None where this user may not run the command, which is said in the log."""
        try:
            return await self.run(command)
        except ForbiddenError as error:
            _log.warning("Redis refuses a command; going on without what it is for: %s.", error)
            return None

    async def run(self, command: Callable[[Client], Awaitable[_T]]) -> _T:
        """The reply."""
        # A command whose caller is cancelled runs to its own end, which is near. Cut off in the middle it could leave
        # its connection with an unread answer, or lost to the pool.
        task = asyncio.create_task(self._execute(command))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Wait a little for what is under way, then close all connections."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSING_WAIT)
            for task in late:
                task.cancel()
        self._names.close()
        try:
            await self._client.aclose(close_connection_pool=True)
        except self._errors as error:
            raise StateStoreError(self._reason(error)) from None

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more

    async def _execute(self, command: Callable[[Client], Awaitable[_T]]) -> _T:
        # Waiting for a connection is done here: redis-py's own blocking pool holds a lock while it connects.
        async with self._turns:
            try:
                await self._names.look_up(CONNECT_TIMEOUT)
                return await command(self._client)
            except self._forbidden as error:
                raise ForbiddenError(self._reason(error)) from None
            except (*self._errors, TimeoutError) as error:
                await self._drop_idle_connections()
                raise StateStoreError(self._reason(error)) from None

    async def _drop_idle_connections(self) -> None:
        """When one connection fails the others have most likely failed too; each would cost an operation to learn."""
        self._names.forget()
        with suppress(*self._errors):
            await self._client.connection_pool.disconnect(inuse_connections=False)

    def _reason(self, error: Exception) -> str:
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return text.replace(self._password, "***") if self._password else text


class _Names:
    """The address behind the host's name, looked up in a thread of its own.

    A name that hangs would otherwise fill the event loop's threads, which look up TikTok's name too. At most one
    look-up is under way, however often it is asked for.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._threads: ThreadPoolExecutor | None = None
        self._under_way: Future[str] | None = None
        self.address: str | None = host if _needs_no_look_up(host) else None

    async def look_up(self, limit: float) -> None:
        """Have `address` set; `OSError` or `TimeoutError` where that fails."""
        if self.address is not None:
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="redis-name")
        if self._under_way is None or self._under_way.done():
            self._under_way = self._threads.submit(self._resolve)
        async with asyncio.timeout(limit):
            self.address = await asyncio.shield(asyncio.wrap_future(self._under_way))

    def forget(self) -> None:
        """Look again next time: the name may mean another machine now."""
        if not _needs_no_look_up(self._host):
            self.address = None

    def close(self) -> None:
        """Leave a look-up under way to itself."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _resolve(self) -> str:
        found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
        # One address is tried, so the kind that is most likely to be reachable.
        best = min(found, key=lambda each: each[0] != socket.AF_INET)
        return str(best[4][0])


def _needs_no_look_up(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


class Script(Protocol):
    """A script registered with the server."""

    def __call__(self, *, keys: Sequence[str], args: Sequence[bytes | str | int]) -> Coroutine[Any, Any, Any]:
        """Run it."""
        ...


class Client(Protocol):
    """The part of redis-py's asyncio client that is used here; its own types leave too much unknown."""

    connection_pool: Any

    def get(self, name: str) -> Awaitable[bytes | None]: ...  # noqa: D102 - Redis's own commands
    def mget(self, keys: Sequence[str]) -> Awaitable[list[bytes | None]]: ...  # noqa: D102 - as above
    def set(self, name: str, value: bytes, *, px: int, nx: bool = False) -> Awaitable[bool | None]: ...  # noqa: D102 - as above
    def delete(self, *names: str) -> Awaitable[int]: ...  # noqa: D102 - as above
    def incrby(self, name: str, amount: int) -> Awaitable[int]: ...  # noqa: D102 - as above
    def decrby(self, name: str, amount: int) -> Awaitable[int]: ...  # noqa: D102 - as above
    def pttl(self, name: str) -> Awaitable[int]: ...  # noqa: D102 - as above
    def scan(self, cursor: int, *, match: str, count: int) -> Awaitable[tuple[int, list[bytes]]]: ...  # noqa: D102 - as above
    def register_script(self, script: str) -> Script: ...  # noqa: D102 - as above
    async def aclose(self, close_connection_pool: bool | None = None) -> None: ...  # noqa: D102 - as above


def _connect_later(url: str, names: _Names) -> tuple[Client, tuple[type[Exception], ...], type[Exception]]:
    """A client that has not connected yet, the errors it may raise, and the one that says a command is not allowed."""
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

    class Looked(plain):
        """Connects to the address that was looked up; the certificate still has to be for the name."""

        def _connection_arguments(self) -> dict[str, Any]:
            arguments: dict[str, Any] = {**plain._connection_arguments(self)}
            if "ssl" in arguments:
                arguments["server_hostname"] = arguments["host"]
            return arguments | {"host": names.address or arguments["host"]}

    pool.connection_class = Looked
    client: Any = Redis(connection_pool=pool)
    return client, (RedisError, OSError), NoPermissionError
