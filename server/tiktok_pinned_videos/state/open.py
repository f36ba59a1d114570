"""Opens the store that `TIKTOK_STATE` names. A store's module is imported only when it is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from .base import StateStoreError, UnusableStoreError

if TYPE_CHECKING:
    from .base import Store

FORMS = "memory:, sqlite:///relative/path, sqlite:////absolute/path, redis://host:port/db or rediss://host:port/db"

# Options of the connection. Timeouts and retries are left out: a slow store must not slow down answers.
_REDIS_OPTIONS = {
    "db",
    "client_name",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
}


def check_url(url: str) -> None:
    """Raise ValueError with a one-line reason, free of anything secret, unless `open_store` understands `url`."""
    scheme, colon, rest = url.partition(":")
    match scheme.lower() + colon:
        case "memory:":
            if rest:
                raise ValueError("memory: takes nothing after the colon")
        case "sqlite:":
            _sqlite_path(rest)
        case "redis:" | "rediss:":
            _check_redis(url)
        case _:
            raise ValueError(f"the state store should be one of {FORMS}")


def open_primary(url: str, *, clock: Callable[[], float] = time.time) -> Store:
    """The store that `url` names, not yet connected; its failures are errors. ValueError as `check_url` raises it."""
    check_url(url)
    scheme, _, rest = url.partition(":")
    if scheme.lower().startswith("redis"):
        from .redis import RedisStore

        return RedisStore(url, clock=clock)
    from .sql import SQLStore

    return SQLStore(_sqlite_path(rest) if rest else None, clock=clock)


def open_store(url: str, *, prefix: str = "", clock: Callable[[], float] = time.time) -> Store:
    """The same for a server: keys begin with `prefix`, and failures never reach a call."""
    primary = open_primary(url, clock=clock)
    if not primary.shared:
        return primary
    from .resilient import ResilientStore

    return ResilientStore(primary, prefix=prefix, clock=clock)


async def check_usable(url: str, *, prefix: str = "") -> None:
    """Raise `UnusableStoreError` if the store that `url` names can never work; one that is down may still work."""
    store = open_primary(url)
    try:
        if store.can_refuse:
            await store.check(prefix)
    except UnusableStoreError:
        raise
    except StateStoreError:
        pass
    finally:
        await store.aclose()


def _sqlite_path(rest: str) -> str:
    path = rest.removeprefix("///")
    if path == rest:
        raise ValueError("an SQLite file is written sqlite:///relative/path or sqlite:////absolute/path")
    if path == ":memory:":
        raise ValueError("for state in memory write memory:")
    if not path or path.endswith("/") or "\0" in path:
        raise ValueError("sqlite:/// should be followed by the path of a file")
    return path


def _check_redis(url: str) -> None:
    # No part of the URL is repeated in a message: a misplaced character makes a password look like a host or port.
    hint = "(in a password, write / ? # @ as %2F %3F %23 %40)"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(f"the Redis URL cannot be read: redis://[user:password@]host[:port][/db] {hint}") from None
    if not host or not url[len(parts.scheme) :].startswith("://"):
        raise ValueError(f"the Redis URL names no host: redis://[user:password@]host[:port][/db] {hint}")
    database = parts.path.removeprefix("/")
    if database and not (database.isascii() and database.isdigit()):
        raise ValueError(f"the path of a Redis URL is the number of a database, as in redis://host:6379/0 {hint}")
    for name, value in options:
        if name not in _REDIS_OPTIONS or (name == "db" and not value.isdigit()):
            raise ValueError(f"a Redis URL may have these options after ?: {', '.join(sorted(_REDIS_OPTIONS))}")
