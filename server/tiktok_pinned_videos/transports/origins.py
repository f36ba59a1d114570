"""Check `Host` and `Origin` headers before anything else reads a request."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tiktok_pinned_videos.hosts import LOOPBACK_NAMES, Host, parse_host, parse_origin


class AllowedAddresses:
    """Which hosts requests may name and which web pages may send them.

    Loopback names and the bound address are allowed on any port, and everything the operator lists.
    """

    def __init__(self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        own = [f"{name}:*" for name in (*LOOPBACK_NAMES, bound)]
        self._hosts = [parse_host(text) for text in (*own, *hosts)]
        # A port that is the scheme's default is not written.
        self._hosts += [Host(host.name, "") for host in self._hosts if host.port == "*"]
        own_origins = [f"http://{name}:*" for name in LOOPBACK_NAMES]
        self._origins = [parse_origin(text) for text in (*own_origins, *origins)]
        self.expected_hosts = ", ".join(dict.fromkeys([*LOOPBACK_NAMES, bound, *hosts]))
        self.expected_origins = ", ".join([*own_origins, *origins])

    def host(self, header: str | None, *, any_address: bool = False) -> bool:
        """Whether the server answers for this `Host` header. With `any_address` any IP address will do, or none."""
        if header is None:
            return any_address
        try:
            given = parse_host(header)
        except ValueError:
            return False
        if given.port == "*":
            return False
        if any_address and _is_address(given.name):
            return True
        return any(allowed.admits(given) for allowed in self._hosts)

    def origin(self, header: str) -> bool:
        """Whether a page of this origin may call."""
        try:
            given = parse_origin(header)
        except ValueError:
            return False
        return "*" not in (given.host.name, given.host.port) and any(each.admits(given) for each in self._origins)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
