"""Parse environment variables as text, numbers, choices and lists.

An error is one line: the variable, its value and what is expected. Parts that could be a password are not shown: the
part before an @, after ? or #, and everything in a Redis URL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

_UNEXPANDED: Final = re.compile(
    # After a bare $ only capitals are a variable, because a password may begin with $.
    r"\$\{.*\}|\$\(.*\)|\$[A-Z_][A-Z0-9_]*|\$[Ee][Nn][Vv]:\w+|%[A-Za-z_]\w*%|\{\{.*\}\}|\{env:[^}]*\}"
)
_MAX_SHOWN: Final = 80


class SettingsError(Exception):
    """A value that cannot be used. Its text is the line to print before exit 2; it begins with the variable."""

    def __init__(self, variable: str, fault: str) -> None:
        super().__init__(f"{variable} {fault}")
        self.variable = variable


def plain(value: str) -> str:
    """The value without surrounding quotes (`docker --env-file` keeps them); empty for an unexpanded variable."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return "" if _UNEXPANDED.fullmatch(value) else value


class Environment:
    """The variables. `secrets`: variables whose values are never shown, not even inside another variable's value."""

    def __init__(self, env: Mapping[str, str], *, secrets: tuple[str, ...]) -> None:
        self._env = env
        self._secrets = [value for name in secrets if len(value := self.text(name)) >= 4]

    def text(self, name: str) -> str:
        """The value as `plain` gives it; empty when not set."""
        return plain(self._env.get(name, ""))

    def flag(self, name: str) -> bool:
        """On or off; off when not set."""
        match self.text(name).lower():
            case "" | "0" | "false" | "no" | "off":
                return False
            case "1" | "true" | "yes" | "on":
                return True
            case value:
                raise self.refusal(name, value, "should be 1 (on) or 0 (off)")

    def number(self, name: str, default: float, low: float, high: float, unit: str) -> float:
        """A number within bounds."""
        value = self.text(name)
        if not value:
            return default
        try:
            number = float(value) if value.isascii() and "_" not in value else math.nan
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise self.refusal(name, value, f"should be {unit} from {low:g} to {high:.0f} (default {default:g})")
        return number

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.text(name)
        if not value:
            return default
        number = int(value) if value.isascii() and value.isdigit() and len(value) <= 12 else -1
        if not low <= number <= high:
            raise self.refusal(name, value, f"should be a whole number from {low} to {high} (default {default})")
        return number

    def choice(self, name: str, default: str, allowed: Iterable[str]) -> str:
        """One of a few words, in any case."""
        value = self.text(name)
        for option in allowed:
            if value.casefold() == option.casefold():
                return option
        if value:
            raise self.refusal(name, value, f"should be one of {', '.join(allowed)}")
        return default

    def checked(self, name: str, default: str, check: Callable[[str], str]) -> str:
        """Return what `check` returns for the value. The ValueError of `check` says what the value should be."""
        value = self.text(name)
        try:
            return check(value) if value else default
        except ValueError as fault:
            raise self.refusal(name, value, str(fault)) from None

    def listed(self, name: str, check: Callable[[str], str]) -> tuple[str, ...]:
        """The parts between commas, each checked."""
        value = self.text(name)
        try:
            return tuple(check(part.strip()) for part in value.split(",") if part.strip())
        except ValueError as fault:
            raise self.refusal(name, value, str(fault)) from None

    def refusal(self, name: str, value: str, should: str) -> SettingsError:
        """The one line about a value that cannot be used; `should` says what it should be."""
        return SettingsError(name, f"holds {self._shown(value)}; it {should}.")

    def _shown(self, value: str) -> str:
        for secret in self._secrets:
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
