"""The changes since the oldest stored observation, as data and as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from typing_extensions import TypedDict

from tiktok_pinned_videos.research.fields import COUNTS
from tiktok_pinned_videos.service.history import Change, Changes

from .statistics import Counts
from .times import iso


class _Since(TypedDict):
    since: str


class _Growth(_Since, Counts):
    """The growth of the counts, summed over the videos pinned both times."""


class ChangeOut(TypedDict):
    """A video that was pinned or unpinned between two observations."""

    id: str
    after: str
    by: str


class ChangesOut(_Growth):
    """The changes of one account."""

    pinned: list[ChangeOut]
    unpinned: list[ChangeOut]


class ChangesInBrief(_Growth):
    """The changes of an account in a comparison: how many videos, not which."""

    pinned_count: int
    unpinned_count: int


def changes_out(changes: Changes) -> dict[str, Any]:
    """Return the values of a `ChangesOut`."""
    return {
        "since": iso(changes.since),
        **dict(changes.growth),
        "pinned": [_change(one) for one in changes.pinned],
        "unpinned": [_change(one) for one in changes.unpinned],
    }


def changes_in_brief(changes: Changes) -> dict[str, Any]:
    """Return the values of a `ChangesInBrief`."""
    return {
        "since": iso(changes.since),
        **dict(changes.growth),
        "pinned_count": len(changes.pinned),
        "unpinned_count": len(changes.unpinned),
    }


def changes_text(changes: ChangesOut) -> str:
    """One line: since when, which videos were pinned or unpinned between which observations, how the counts grew."""
    parts = [
        f"{verb} {_listed(ones)}"
        for verb, ones in (("pinned", changes["pinned"]), ("unpinned", changes["unpinned"]))
        if ones
    ]
    growth = _growth(changes)
    if any(growth.values()):
        parts.append(f"{'videos pinned both times' if parts else 'same videos'}: {_signed(growth)}")
    return f"since {changes['since']}: {'; '.join(parts) or _nothing(growth)}"


def brief_text(changes: ChangesInBrief) -> str:
    """Return the same for an account in a comparison."""
    counted = ((changes["pinned_count"], "pinned"), (changes["unpinned_count"], "unpinned"))
    parts = [f"{count} {verb}" for count, verb in counted if count]
    growth = _growth(changes)
    if any(growth.values()):
        parts.append(_signed(growth))
    return f"since {changes['since']}: {', '.join(parts) or _nothing(growth)}"


def _growth(changes: _Growth) -> dict[str, int]:
    """The counts whose growth is known."""
    return {name: value for name in COUNTS if (value := changes.get(name)) is not None}


def _signed(growth: dict[str, int]) -> str:
    return ", ".join(f"{name} {value:+}" for name, value in growth.items())


def _nothing(growth: dict[str, int]) -> str:
    # Without counts, only the pins are known to be the same.
    return "unchanged" if growth else "pins unchanged"


def _listed(ones: Sequence[ChangeOut]) -> str:
    groups = groupby(ones, key=lambda one: (one["after"], one["by"]))
    return ", ".join(f"{' '.join(one['id'] for one in each)} between {after} and {by}" for (after, by), each in groups)


def _change(change: Change) -> ChangeOut:
    return {"id": change.id, "after": iso(change.after), "by": iso(change.by)}
