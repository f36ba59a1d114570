"""Host and Origin as URLs compare them: case, ports, trailing dots; nothing that only looks like one. Pure.

What is allowed is written `host`, `host:port` or `host:*`, and as full origins, with `:*` for any port.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT: Final = re.compile(r"[0-9]{1,5}|\*")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Host:
    """A host in lower case, without a trailing dot, IPv6 in brackets and in its shortest form."""

    name: str
    port: str
    """Digits, `*` for any, empty where none was written."""

    def admits(self, other: Host) -> bool:
        """Whether `other` is a way to write this one."""
        return self.name == other.name and (self.port in ("*", other.port))


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port; the scheme's own port where none was written."""

    scheme: str
    host: Host

    def admits(self, other: Origin) -> bool:
        """Whether `other` is a way to write this one."""
        return self.scheme == other.scheme and self.host.admits(other.host)


@lru_cache(64)
def parse_host(text: str) -> Host:
    """`host`, `host:port` or `host:*`. Raises ValueError for anything else, user info and paths included."""
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
    """A full origin such as `https://app.example.org`. Raises ValueError for anything else."""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ValueError("no origin of http or https")
    host = parse_host(rest)
    return Origin(scheme, Host(host.name, host.port or _DEFAULT_PORTS[scheme]))


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
