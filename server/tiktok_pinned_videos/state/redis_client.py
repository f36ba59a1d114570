"""redis-py's client as the store needs it: nothing is tried twice, names are looked up apart. Knows its pitfalls."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future
from threading import Thread
from typing import Any, cast
from urllib.parse import urlsplit

from .base import StateStoreError

# A machine that stands still for a second must not look like a Redis that is gone; one that is gone refuses at once.
CONNECT_TIMEOUT = 2.0
REPLY_TIMEOUT = 2.0


class MissingExtraError(StateStoreError):
    """The library that a store needs is not installed; the message says how to install it."""


class Lookup:
    """The address behind one host's name, looked up in a thread of its own, at most one at a time.

    A name that hangs would fill the event loop's threads, which look up TikTok's name too.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._under_way: Future[str] | None = None
        self.address: str | None = None

    async def look_up(self) -> None:
        """Have `address` set within `CONNECT_TIMEOUT` seconds; `OSError` or `TimeoutError` where that fails."""
        # This machine's own name hangs nowhere; asyncio tries all of its addresses.
        if self.address is not None or self._host == "localhost":
            return
        if self._under_way is None or self._under_way.done():
            self._under_way = Future()
            # A daemon: the interpreter would wait at its end for any other thread, and a look-up may take minutes.
            Thread(target=self._resolve, args=(self._under_way,), name="redis-name", daemon=True).start()
        async with asyncio.timeout(CONNECT_TIMEOUT):
            self.address = await asyncio.shield(asyncio.wrap_future(self._under_way))

    def _resolve(self, found: Future[str]) -> None:
        try:
            addresses = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            # One address is tried, so the kind that is most likely to be reachable.
            best = min(addresses, key=lambda each: each[0] != socket.AF_INET)
            found.set_result(str(best[4][0]))
        except (OSError, UnicodeError) as error:  # the latter for what can be no name
            found.set_exception(OSError(str(error)))


def connect_later(url: str, lookup: Lookup) -> tuple[Any, tuple[type[Exception], ...], type[Exception]]:
    """A client, not connected yet; the errors it may raise, and the one that says a command is not allowed."""
    try:
        from redis.asyncio import ConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import NoPermissionError, RedisError
    except ImportError:
        raise MissingExtraError(
            "a redis:// state store needs the redis library: install this package with its extra, as in "
            'pip install ".[redis]" in a copy of the repository'
        ) from None
    options: dict[str, Any] = {"ssl_check_hostname": True} if urlsplit(url).scheme == "rediss" else {}
    pool = cast(Any, ConnectionPool).from_url(
        url,
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
