"""Open the store that `TIKTOK_STATE` names. The module of a store is imported only if it is used."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .base import Store

_URL: Final = re.compile(
    r"memory:|sqlite:///(?!:memory:)(?P<path>[^\0]*[^\0/])"
    r"|rediss?://([^/?#@\s]*@)?([\w.-]+|\[[\da-f:.]+\])(:(?P<port>\d{1,5}))?(/\d*)?(\?ssl_\w+=[^&#\s]+(&ssl_\w+=[^&#\s]+)*)?",
    re.ASCII | re.IGNORECASE,
)


def check_url(url: str) -> re.Match[str]:
    """Raise ValueError with one line that says what the URL should be. No part of the URL is repeated in it."""
    found = _URL.fullmatch(url)
    if not found or int(found["port"] or 0) > 65_535:
        raise ValueError(
            "should be memory:, sqlite:///relative/path, sqlite:////absolute/path or "
            "redis[s]://[user:password@]host[:port][/db][?ssl_...] (in a password, write / ? # @ as %2F %3F %23 %40)"
        )
    return found


def open_primary(url: str, *, clock: Callable[[], float] = time.time) -> Store:
    """Open the store that `url` names, without connecting. Raises ValueError like `check_url`."""
    path = check_url(url)["path"]
    if url.lower().startswith("redis"):
        from .redis import RedisStore

        return RedisStore(url, clock=clock)
    from .sql import SQLStore

    return SQLStore(path, clock=clock)


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
        await store.check_usable()
    finally:
        await store.aclose()
