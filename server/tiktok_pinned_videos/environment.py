"""Environment variables as text, numbers, choices and addresses; refusals in one line, with nothing secret in it.

Knows how values are written, not which variables there are. A refusal names the variable, shows what it holds and says
what it should hold. What could be a password is not shown: what stands before an @, after a ? or #, in a Redis URL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

_UNEXPANDED: Final = re.compile(r"\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]*|\{env:[^}]*\}")
_MAX_SHOWN: Final = 80


class SettingsError(Exception):
    """A value that cannot be used; the text, which begins with the variable, is the one line to print before exit 2."""

    def __init__(self, variable: str, fault: str) -> None:
        super().__init__(f"{variable} {fault}")
        self.variable = variable


class Environment:
    """Reads the variables. Empty values and a literal `${VAR}` or `{env:VAR}`, which some clients pass on, count as not
    set.

    `secrets`: the variables whose values are never shown, wherever else they were pasted to.
    """

    def __init__(self, env: Mapping[str, str], *, secrets: tuple[str, ...]) -> None:
        self._env = env
        self._secrets = [value for name in secrets if len(value := self.text(name)) >= 4]

    def text(self, name: str) -> str:
        """The value, trimmed; empty when not set."""
        value = self._env.get(name, "").strip()
        return "" if _UNEXPANDED.fullmatch(value) else value

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

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words, in any case."""
        value = self.text(name)
        for option in allowed:
            if value.casefold() == option.casefold():
                return option
        if not value:
            return default
        raise self.refusal(name, value, f"should be one of {', '.join(allowed)}")

    def checked(self, name: str, default: str, check: Callable[[str], str]) -> str:
        """What `check` makes of it; its ValueError says what the value should be."""
        value = self.text(name)
        if not value:
            return default
        try:
            return check(value)
        except ValueError as fault:
            raise self.refusal(name, value, str(fault)) from None

    def listed(self, name: str, check: Callable[[str], str]) -> tuple[str, ...]:
        """Parts between commas, each checked."""
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
            # A misplaced character makes a password look like a host, a port or a path.
            rest = "..."
        elif "@" in rest:
            rest = "//***@" + rest.rpartition("@")[2]
        shown = re.sub(r"([?#]).+", r"\1...", scheme + colon + rest, flags=re.DOTALL)
        shown = "".join(char if char.isprintable() else "?" for char in shown)
        return repr(shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 1] + "…")
