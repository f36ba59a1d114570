"""Open the store that `TIKTOK_STATE` names. The module of a store is imported only if it is used."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Store

FORMS = "memory:, sqlite:///relative/path, sqlite:////absolute/path, redis://host:port/db or rediss://host:port/db"

_REDIS = re.compile(
    r"rediss?://([^/?#@\s]*@)?([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?(/\d*)?(\?ssl_\w+=[^&#\s]+(&ssl_\w+=[^&#\s]+)*)?",
    re.ASCII | re.IGNORECASE,
)


def check_url(url: str) -> None:
    """Raise ValueError with a one-line reason without secrets if `open_store` does not accept `url`."""
    scheme, colon, rest = url.partition(":")
    match scheme.lower() + colon:
        case "memory:":
            if rest:
                raise ValueError("memory: takes nothing after the colon")
        case "sqlite:":
            _sqlite_path(rest)
        case "redis:" | "rediss:":
            # No part of it is repeated: a misplaced character makes a password look like a host or port.
            found = _REDIS.fullmatch(url)
            if not found or int((found[3] or ":0")[1:]) > 65_535:
                raise ValueError(
                    "the Redis URL cannot be read: redis://[user:password@]host[:port][/db], and only ssl_… options "
                    "after ? (in a password, write / ? # @ as %2F %3F %23 %40)"
                )
        case _:
            raise ValueError(f"the state store should be one of {FORMS}")


def open_primary(url: str, *, clock: Callable[[], float] = time.time) -> Store:
    """Open the store that `url` names, without connecting. Raises ValueError like `check_url`."""
    check_url(url)
    scheme, _, rest = url.partition(":")
    if scheme.lower().startswith("redis"):
        from .redis import RedisStore

        return RedisStore(url, clock=clock)
    from .sql import SQLStore

    return SQLStore(_sqlite_path(rest) if rest else None, clock=clock)


def open_store(url: str, *, prefix: str = "", clock: Callable[[], float] = time.time) -> Store:
    """Open the store that `url` names, for a server: keys begin with `prefix`, and operations never fail."""
    primary = open_primary(url, clock=clock)
    if not primary.shared:
        return primary
    from .resilient import ResilientStore

    return ResilientStore(primary, prefix=prefix, clock=clock)


async def check_usable(url: str, *, prefix: str = "") -> None:
    """Raise `UnusableStoreError` if the store that `url` names can never work; not if it is only unreachable."""
    store = open_store(url, prefix=prefix)
    try:
        if reason := await store.why_unusable():
            raise reason
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
