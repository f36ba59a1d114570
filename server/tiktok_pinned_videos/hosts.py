"""Parse host names and origins, and compare them without regard to case and trailing dots.

The operator writes `host`, `host:port` or `host:*` (any port), and full origins or `scheme://*` (any origin of a
scheme).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|\w[\w-]*(?:\.\w[\w-]*)*)\.?(?::([0-9]{1,5}|\*))?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_OPAQUE_HOST: Final = re.compile(r"[^\s/?#@*\\]{1,253}")
"""Host of an origin whose scheme is not HTTP. Editors and browser extensions use identifiers there."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host, or an origin if it has a scheme."""

    name: str
    """In lower case, without a trailing dot, IPv6 in brackets and in its shortest form."""
    port: str
    """Digits, `*` for any, or empty if none was written."""
    scheme: str = ""

    def matches(self, other: Address) -> bool:
        """Return whether `other` matches this pattern."""
        # Proxies write the default port of a host, or leave it out.
        ports = ("80", "443", "") if not self.scheme and not self.port else (self.port,)
        same = self.scheme == other.scheme and self.name in ("*", other.name)
        return same and (self.port == "*" or other.port in ports)


@lru_cache(64)
def parse_host(text: str) -> Address:
    """Parse `host`, `host:port` or `host:*`. Raises ValueError for anything else, also for user info and paths."""
    found = _HOST.fullmatch(text.lower())
    if found is None or len(found[1]) > 253:
        raise ValueError("no host")
    name, port = found[1], found[2] or ""
    if name.startswith("["):
        name = f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
    if port.isdigit():
        port = str(int(port))
        if int(port) > 65535:
            raise ValueError("no port")
    return Address(name, port)


def parse_origin(text: str) -> Address:
    """Parse a full origin of any scheme (`https://app.example.org`) or `scheme://*`. Raises ValueError otherwise."""
    scheme, separator, rest = text.lower().partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError("no origin")
    if rest == "*":
        return Address("*", "*", scheme)
    if scheme in _DEFAULT_PORTS:
        host = parse_host(rest)
        return Address(host.name, host.port or _DEFAULT_PORTS[scheme], scheme)
    if not _OPAQUE_HOST.fullmatch(rest):
        raise ValueError("no origin")
    return Address(rest, "", scheme)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_allowed(header: str | None, patterns: Iterable[str], parse: Callable[[str], Address]) -> bool:
    """Return whether the value of a `Host` or `Origin` header matches one of the patterns."""
    try:
        given = parse(header or "")
    except ValueError:
        return False
    return "*" not in (given.name, given.port) and any(parse(pattern).matches(given) for pattern in patterns)
