"""Check `Host` and `Origin` headers before anything else reads a request."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tiktok_pinned_videos.hosts import LOOPBACK_NAMES, Host, parse_host, parse_origin


class AllowedAddresses:
    """The values of `Host` and `Origin` that requests may have.

    Loopback names and the bound address are allowed on any port. The operator lists further ones.
    """

    def __init__(self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        own = [f"{name}:*" for name in (*LOOPBACK_NAMES, bound)]
        self._hosts = [parse_host(text) for text in (*own, *hosts)]
        # Clients leave out the default port of a scheme.
        self._hosts += [Host(host.name, "") for host in self._hosts if host.port == "*"]
        own_origins = [f"http://{name}:*" for name in LOOPBACK_NAMES]
        self._origins = [parse_origin(text) for text in (*own_origins, *origins)]
        self.expected_hosts = ", ".join(dict.fromkeys([*LOOPBACK_NAMES, bound, *hosts]))
        self.expected_origins = ", ".join([*own_origins, *origins])

    def host(self, header: str | None, *, any_address: bool = False) -> bool:
        """Return whether the `Host` header is allowed. With `any_address`, so are every IP address and no header."""
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
        """Return whether a page of this origin may call."""
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
