"""The address behind a host's name, looked up in a thread of its own.

A name that hangs would fill the event loop's threads, which look up TikTok's name too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import Future
from threading import Thread


class Lookup:
    """One host's address. At most one look-up is under way, however often it is asked for."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._fixed = _needs_none(host)
        self._under_way: Future[str] | None = None
        self.address: str | None = host if self._fixed else None

    async def look_up(self, limit: float) -> None:
        """Have `address` set within `limit` seconds; `OSError` or `TimeoutError` where that fails."""
        if self.address is not None:
            return
        if self._under_way is None or self._under_way.done():
            self._under_way = Future()
            # A daemon: the interpreter would wait at its end for any other thread, and a look-up may take minutes.
            Thread(target=self._resolve, args=(self._under_way,), name="redis-name", daemon=True).start()
        async with asyncio.timeout(limit):
            self.address = await asyncio.shield(asyncio.wrap_future(self._under_way))

    def forget(self) -> None:
        """Look again next time: the name may mean another machine now."""
        if not self._fixed:
            self.address = None

    def _resolve(self, found: Future[str]) -> None:
        try:
            addresses = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            # One address is tried, so the kind that is most likely to be reachable.
            best = min(addresses, key=lambda each: each[0] != socket.AF_INET)
            found.set_result(str(best[4][0]))
        except (OSError, UnicodeError) as error:  # the latter for what can be no name
            found.set_exception(OSError(str(error)))


def _needs_none(host: str) -> bool:
    """Whether it is an address already, or this machine."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
