"""What each step does to a table of entries: for memory and SQLite, which differ only in where the table is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from . import steps
from .base import CounterLostError


class Entry(NamedTuple):
    """A value and when it expires, in Unix seconds."""

    value: bytes
    expires_at: float
    lasting: bool = False
    """Whether it has to live until then: a lock or a counter, not a value that can be had again."""


class Table(Protocol):
    """Entries by key."""

    def read(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """Those that are alive."""
        ...

    def write(self, key: str, entry: Entry) -> None:
        """Put it in the place of what was there."""
        ...

    def drop(self, keys: Sequence[str]) -> None:
        """Remove them; each is there."""
        ...

    def find(self, prefix: str, limit: int) -> list[str]:
        """See `steps.Find`."""
        ...


def perform(step: steps.Step[Any], table: Table, now: float) -> Any:
    """Do a step; its result. `now` in Unix seconds."""
    match step:
        case steps.Read(keys=keys):
            found = table.read(keys)
            return [found[key].value if key in found else None for key in keys]
        case steps.Delete(keys=keys, expected=expected):
            doomed = [key for key, entry in table.read(keys).items() if expected in (None, entry.value)]
            table.drop(doomed)
            return bool(doomed)
        case steps.Find(keys=(prefix,), limit=limit):
            return table.find(prefix, limit)
        case steps.Write(keys=(key,), value=value, ttl=ttl, only_if_absent=False):
            table.write(key, Entry(value, now + ttl))
            return True
        case steps.Increment() | steps.RaiseTo():
            return _count(step, table, now)
        case _:
            return _lock(step, table, now)


def _count(step: steps.Increment | steps.RaiseTo, table: Table, now: float) -> int | None:
    (key,) = step.keys
    entry = table.read(step.keys).get(key) or Entry(b"0", now + step.ttl)
    before = total = int(entry.value) if entry.value.isdigit() else 0
    match step:
        case steps.RaiseTo():
            total = max(before, step.least)
        case steps.Increment():
            if before < step.least:
                raise CounterLostError(f"{before} instead of {step.least} or more")
            total = before + step.amount
            if step.ceiling is not None and total > step.ceiling:
                return None
    table.write(key, Entry(b"%d" % total, entry.expires_at, lasting=True))
    return total


def _lock(step: steps.Step[Any], table: Table, now: float) -> bool | float | None:
    (key,) = step.keys
    entry = table.read(step.keys).get(key)
    match step:
        case steps.Remaining():
            return entry.expires_at - now if entry is not None else 0.0
        case steps.Write(value=value, ttl=ttl):
            written = entry is None
        case steps.Renew(value=value, ttl=ttl):
            written = entry is not None and entry.value == value
        case steps.Hold(ttl=ttl):
            value, written = b"1", entry is None or entry.expires_at < now + ttl
        case _:
            raise TypeError(f"no step: {step!r}")
    if written:
        table.write(key, Entry(value, now + ttl, lasting=True))
    return written
