"""Client access tokens: issued, known again, gone after two hours. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable

LIFETIME = 7200  # seconds, as documented
_MOST = 10_000  # more living tokens than any honest client needs; the oldest give way


class Tokens:
    """Several tokens live at once, as at TikTok: a new one does not end the others."""

    def __init__(self, *, clock: Callable[[], float], entropy: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._entropy = entropy
        self._expires_at: dict[str, float] = {}  # insertion order is order of expiry, as long as the clock runs on

    def issue(self) -> str:
        """A new token, valid for `LIFETIME` seconds."""
        if len(self._expires_at) >= _MOST:
            del self._expires_at[next(iter(self._expires_at))]
        token = f"clt.{self._entropy(24).hex()}"
        self._expires_at[token] = self._clock() + LIFETIME
        return token

    def accepts(self, token: str) -> bool:
        """Whether it was issued here and is still alive."""
        return self._clock() < self._expires_at.get(token, float("-inf"))

    def revoke_all(self) -> None:
        """End every token before its time, which TikTok may do too."""
        self._expires_at.clear()
