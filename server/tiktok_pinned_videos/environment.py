"""Parse environment variables as text, numbers, choices and lists.

An error is one line: the variable, its value and what is expected. Parts that could be a password are not shown: the
part before an @, after ? or #, and everything in a Redis URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

_UNEXPANDED: Final = re.compile(
    # After a bare $ only capitals are a variable, because a password may begin with $.
    r"\$\{.*\}|\$\(.*\)|\$[A-Z_][A-Z0-9_]*|\$[Ee][Nn][Vv]:\w+|%[A-Za-z_]\w*%|\{\{.*\}\}|\{env:[^}]*\}"
)
_ON: Final = ("1", "true", "yes", "on")
_OFF: Final = ("0", "false", "no", "off")
_MAX_SHOWN: Final = 80

T = TypeVar("T")
N = TypeVar("N", int, float)


class SettingsError(Exception):
    """A value that cannot be used. Its text is the line to print before exit 2; it begins with the variable."""

    def __init__(self, variable: str, fault: str) -> None:
        super().__init__(f"{variable} {fault}")
        self.variable = variable


class Environment:
    """The variables. `secrets`: variables whose values are never shown, not even inside another variable's value."""

    def __init__(self, env: Mapping[str, str], *, secrets: tuple[str, ...]) -> None:
        self._values = {name: plain(value) for name, value in env.items()}
        self._secrets = {name: self._values.get(name, "") for name in secrets}

    def read(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        """Return the parsed value; `default` if it is not set. The ValueError of `parse` says what it should be."""
        value = self._values.get(name, "")
        try:
            return parse(value) if value else default
        except ValueError as fault:
            shown = f"{len(value)} characters (not shown)" if name in self._secrets else self._shown(value)
            raise SettingsError(name, f"holds {shown}; it {fault}.") from None

    def _shown(self, value: str) -> str:
        for secret in self._secrets.values():
            if len(secret) >= 4:
                value = re.sub(re.escape(secret), "[secret]", value, flags=re.IGNORECASE)
        scheme, colon, rest = value.partition(":")
        if colon and scheme.casefold() in ("redis", "rediss"):
            # After a typing mistake a password may be in the place of a host, a port or a path.
            rest = "..."
        elif "@" in rest:
            rest = "//***@" + rest.rpartition("@")[2]
        shown = re.sub(r"([?#]).+", r"\1...", scheme + colon + rest, flags=re.DOTALL)
        shown = "".join(char if char.isprintable() else "?" for char in shown)
        return repr(shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 1] + "…")


def plain(value: str) -> str:
    """Return the value without surrounding quotes, which `docker --env-file` keeps; "" for an unexpanded variable."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return "" if _UNEXPANDED.fullmatch(value) else value


def number(low: N, high: N, unit: str = "a whole number") -> Callable[[str], N]:
    """Parse a number within bounds, of their type."""
    kind = type(low)
    pattern = r"[0-9]{1,12}" if kind is int else r"[0-9]{1,12}(\.[0-9]{0,12})?"

    def parse(value: str) -> N:
        if re.fullmatch(pattern, value) and low <= kind(value) <= high:
            return kind(value)
        raise ValueError(f"should be {unit} from {low:g} to {high:.0f}")

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    """Parse one of a few words, in any case."""

    def parse(value: str) -> str:
        for option in allowed:
            if option.casefold() == value.casefold():
                return option
        raise ValueError(f"should be one of {', '.join(allowed)}")

    return parse


def flag(value: str) -> bool:
    """Parse on or off."""
    return one_of(*_ON, *_OFF)(value) in _ON


def accepted_by(check: Callable[[str], object], should: str) -> Callable[[str], str]:
    """Parse text for which `check` raises no ValueError."""

    def parse(value: str) -> str:
        try:
            check(value)
        except ValueError:
            raise ValueError(should) from None
        return value

    return parse


def listed(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """Parse the parts between commas, at least one; empty parts are left out."""

    def parse_all(value: str) -> tuple[str, ...]:
        if parts := tuple(parse(part.strip()) for part in value.split(",") if part.strip()):
            return parts
        raise ValueError("should be values separated by commas")

    return parse_all
