"""Chance that always falls the same way. Knows a seed and nothing of what is drawn with it.

Not `random`: only its raw floats are promised to stay the same from one Python to the next, and an invented account
must look the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_WORD = 4  # bytes a draw; the bias of a modulus over 32 bits is far below what anyone could see here


class Dice:
    """A stream of draws that depends on `seed` alone."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._stream = b""
        self._at = 0

    def below(self, limit: int) -> int:
        """An integer from 0 to `limit - 1`; `limit` is at most 2**32."""
        end = self._at + _WORD
        if end > len(self._stream):
            # A longer digest of the same seed begins with the shorter one, so growing changes no draw.
            self._stream = hashlib.shake_256(self._seed).digest(max(256, 2 * end))
        word = int.from_bytes(self._stream[self._at : end], "big")
        self._at = end
        return word % limit

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in `percent` of a hundred draws."""
        return self.below(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`."""
        return choices[self.below(len(choices))]

    def some(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` different ones of `choices` (or all of them), in the order they were written."""
        left = list(range(len(choices)))
        drawn = [left.pop(self.below(len(left))) for _ in range(min(count, len(choices)))]
        return [choices[index] for index in sorted(drawn)]
