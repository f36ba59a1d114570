"""Check `Host` and `Origin` headers before anything else reads a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tiktok_pinned_videos.hosts import LOOPBACK_NAMES, Address, parse_host, parse_origin


class AllowedAddresses:
    """The values of `Host` and `Origin` that requests may have.

    Loopback names and the bound address are allowed on any port. The operator lists further ones.
    """

    def __init__(self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self.hosts = [*(f"{name}:*" for name in (*LOOPBACK_NAMES, bound)), *hosts]
        self.origins = [*(f"http://{name}:*" for name in LOOPBACK_NAMES), *origins]
        self._hosts = [parse_host(text) for text in self.hosts]
        self._origins = [parse_origin(text) for text in self.origins]

    def host(self, header: str | None) -> bool:
        """Return whether the `Host` header is allowed."""
        return header is not None and _admits(self._hosts, parse_host, header)

    def origin(self, header: str) -> bool:
        """Return whether a page of this origin may call."""
        return _admits(self._origins, parse_origin, header)


def _admits(allowed: list[Address], parse: Callable[[str], Address], header: str) -> bool:
    try:
        given = parse(header)
    except ValueError:
        return False
    return "*" not in header and any(pattern.admits(given) for pattern in allowed)
