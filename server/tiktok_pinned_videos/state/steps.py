"""What can be done with small values that expire, each thing a value of its own.

So several can be sent together, seen through a prefix, or done again elsewhere. What each means is said here once;
`table` says it in code, and all stores are tested against it. Each step is atomic across all users of a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Step(Generic[R]):
    """Something to do with one key or several; `R` is what it results in."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read(Step[list[bytes | None]]):
    """The values of all keys as of one moment, None where absent or expired. Counters read as their digits."""


@dataclass(frozen=True, slots=True)
class Write(Step[bool]):
    """Have the key hold a value for `ttl` seconds; True when this step wrote it."""

    value: bytes
    ttl: float
    only_if_absent: bool = False


@dataclass(frozen=True, slots=True)
class Renew(Step[bool]):
    """Have the key live for `ttl` seconds from now on, only while it holds that value; True when it does."""

    value: bytes
    ttl: float


@dataclass(frozen=True, slots=True)
class Hold(Step[bool]):
    """Have the key live for at least `ttl` seconds from now on; False where it lived longer, and is left as it is."""

    ttl: float


@dataclass(frozen=True, slots=True)
class Remaining(Step[float]):
    """Seconds until the key expires, 0.0 when absent; by the store's own clock."""


@dataclass(frozen=True, slots=True)
class Delete(Step[bool]):
    """Remove the keys; True when any was removed. With `expected`: each only while it holds that value.

    Before `sure_until`, on the event loop's clock, the caller knows that they hold it, and a store need not compare.
    """

    expected: bytes | None = None
    sure_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Increment(Step[int | None]):
    """Add `amount` (positive) to a counter that starts at 0; its new value. Run by itself, not among other steps.

    With `ceiling`, a sum beyond it changes nothing and results in None. `ttl` is set when the counter is created.
    `least` is what the counter is known to have been: `CounterLostError` when it is lower. A counter only rises; its
    key is written by nothing but this and `RaiseTo`.
    """

    amount: int
    ttl: float
    ceiling: int | None = None
    least: int = 0


@dataclass(frozen=True, slots=True)
class RaiseTo(Step[int]):
    """Have a counter be at least `least`; its value then. `ttl` is set when it had none."""

    least: int
    ttl: float


@dataclass(frozen=True, slots=True)
class Find(Step[list[str]]):
    """Up to `limit` living keys that begin with the one given, in no order."""

    limit: int
