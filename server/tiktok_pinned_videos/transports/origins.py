"""Which `Host` and `Origin` headers the HTTP server accepts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tiktok_pinned_videos.hosts import LOOPBACK_NAMES, Host, parse_host, parse_origin


class AllowedAddresses:
    """What requests may say they were sent to, and which pages may send them.

    This machine's names and the bound address are allowed on any port, and what the operator named besides.
    """

    def __init__(self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        own = [f"{name}:*" for name in (*LOOPBACK_NAMES, bound)]
        self._hosts = [parse_host(text) for text in (*own, *LOOPBACK_NAMES, bound, *hosts)]
        # Where the port is the scheme's own, it is not written.
        self._hosts += [Host(host.name, "") for host in self._hosts if host.port == "*"]
        own_origins = [f"http://{name}:*" for name in LOOPBACK_NAMES]
        self._origins = [parse_origin(text) for text in (*own_origins, *origins)]

    def host(self, header: str | None, *, any_address: bool = False) -> bool:
        """Whether this `Host` header names us; with `any_address` any IP address does, as probes write it."""
        try:
            given = parse_host(header or "")
        except ValueError:
            return False
        if any_address and given.port != "*" and _is_address(given.name):
            return True
        return given.port != "*" and any(allowed.admits(given) for allowed in self._hosts)

    def origin(self, header: str) -> bool:
        """Whether a page of this origin may call."""
        try:
            given = parse_origin(header)
        except ValueError:
            return False
        return given.host.port != "*" and any(allowed.admits(given) for allowed in self._origins)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
