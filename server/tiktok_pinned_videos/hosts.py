"""Parse host names and origins, and compare them without regard to case and trailing dots.

The operator writes `host`, `host:port` or `host:*` (any port), and full origins or `scheme://*` (any origin of a
scheme).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT: Final = re.compile(r"[0-9]{1,5}|\*")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_OPAQUE_HOST: Final = re.compile(r"[^\s/?#@*\\]{1,253}")
"""Host of an origin whose scheme is not HTTP. Editors and browser extensions use identifiers there."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host in lower case, without a trailing dot, IPv6 in brackets and in its shortest form."""

    name: str
    port: str
    """Digits, `*` for any, or empty if none was written."""

    def admits(self, other: Host) -> bool:
        """Return whether `other` matches this pattern."""
        return self.name in ("*", other.name) and self.port in ("*", other.port)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port; the scheme's default port if none was written."""

    scheme: str
    host: Host

    def admits(self, other: Origin) -> bool:
        """Return whether `other` matches this pattern."""
        return self.scheme == other.scheme and self.host.admits(other.host)


@lru_cache(64)
def parse_host(text: str) -> Host:
    """Parse `host`, `host:port` or `host:*`. Raises ValueError for anything else, also for user info and paths."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or "%" in address:
            raise ValueError("no IPv6 address in brackets")
        name = f"[{ipaddress.IPv6Address(address).compressed}]"
    else:
        name, colon, port = text.partition(":")
        rest = colon + port
        name = name.lower().removesuffix(".")
        if len(name) > 253 or not _NAME.fullmatch(name):
            raise ValueError("no host name")
    if rest and not (rest.startswith(":") and _PORT.fullmatch(rest[1:])):
        raise ValueError("no port")
    port = rest[1:]
    if port not in ("", "*") and int(port) > 65535:
        raise ValueError("no port")
    return Host(name, port.lstrip("0") if port not in ("", "*") else port)


def parse_origin(text: str) -> Origin:
    """Parse a full origin of any scheme (`https://app.example.org`) or `scheme://*`. Raises ValueError otherwise."""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError("no origin")
    if rest == "*":
        return Origin(scheme, Host("*", "*"))
    if scheme not in _DEFAULT_PORTS:
        if not _OPAQUE_HOST.fullmatch(rest):
            raise ValueError("no origin")
        return Origin(scheme, Host(rest.lower(), ""))
    host = parse_host(rest)
    return Origin(scheme, Host(host.name, host.port or _DEFAULT_PORTS[scheme]))


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
