"""What changed since the oldest remembered observation, as data and in one line that an assistant can repeat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from tiktok_pinned_videos.service.observations import Change, Changes

from .statistics import Counts, Out
from .times import iso


class _Since(Out):
    since: str


class _Growth(Counts, _Since):
    """How much the counts of the videos pinned both times have grown, in sum."""


class ChangeOut(Out):
    """A video that came or went between two observations."""

    id: str
    after: str
    by: str


class ChangesOut(_Growth):
    """What has changed on one account."""

    pinned: list[ChangeOut]
    unpinned: list[ChangeOut]


class ChangesInBrief(_Growth):
    """The same among several accounts: how many videos, not which."""

    pinned: int
    unpinned: int


def changes_out(changes: Changes | None) -> ChangesOut | None:
    """For an answer about one account."""
    if changes is None:
        return None
    return ChangesOut(
        since=iso(changes.since),
        pinned=[_change(one) for one in changes.pinned],
        unpinned=[_change(one) for one in changes.unpinned],
        **dict(changes.growth),
    )


def changes_in_brief(changes: Changes | None) -> ChangesInBrief | None:
    """For an account among others."""
    if changes is None:
        return None
    return ChangesInBrief(
        since=iso(changes.since),
        pinned=len(changes.pinned),
        unpinned=len(changes.unpinned),
        **dict(changes.growth),
    )


def changes_text(changes: ChangesOut) -> str:
    """One line: since when, what came and went between which observations, how the counts grew."""
    parts = [
        f"{verb} {_listed(ones)}" for verb, ones in (("pinned", changes.pinned), ("unpinned", changes.unpinned)) if ones
    ] or ["the same videos pinned"]
    growth = _growth(changes)
    if growth and all(each.endswith(" +0") for each in growth):
        parts.append("their counts unchanged")
    elif growth:
        parts.append(f"growth of the videos pinned both times: {', '.join(growth)}")
    return f"Since {changes.since}: {'; '.join(parts)}"


def brief_text(changes: ChangesInBrief) -> str:
    """The same of one account among others."""
    counted = f"since {changes.since}: {changes.pinned} pinned, {changes.unpinned} unpinned"
    return ", ".join([counted, *_growth(changes)])


def _growth(changes: _Growth) -> list[str]:
    """The counts that are known, each with its sign."""
    grown = changes.model_dump(exclude_none=True, exclude={"since", "pinned", "unpinned"})
    return [f"{name} {value:+}" for name, value in grown.items()]


def _listed(ones: Sequence[ChangeOut]) -> str:
    groups = groupby(ones, key=lambda one: (one.after, one.by))
    return ", ".join(f"{_ids(group)} between {after} and {by}" for (after, by), group in groups)


def _ids(ones: Iterable[ChangeOut]) -> str:
    return " ".join(one.id for one in ones)


def _change(change: Change) -> ChangeOut:
    return ChangeOut(id=change.id, after=iso(change.after), by=iso(change.by))
