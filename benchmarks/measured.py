"""Figures and how they are told: medians with their spread, ratios, tables in Markdown, everything again as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """Several measurements of one thing: the middle, and the quarter below and above it."""

    median: float
    low: float
    high: float
    runs: int

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing we promise: our figure as a ratio to the reference's, and the ratio that was promised."""

    what: str
    ours: str
    reference: str
    ratio: float
    goal: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the promise is kept in this run."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def row(self) -> list[str]:
        """As a line of the summary."""
        bound = "≥" if self.at_least else "≤"
        return [
            self.what, self.ours, self.reference, f"{self.ratio:.2f}",
            f"{bound} {self.goal:.2f}{'' if self.holds else ' (missed)'}",
        ]  # fmt: skip


@dataclass(slots=True)
class Result:
    """What one benchmark found."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    claims: list[Claim] = field(default_factory=list[Claim])
    notes: list[str] = field(default_factory=list[str])
    data: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_markdown(self) -> str:
        """Heading, table, notes."""
        parts = [f"### {self.title}", "", *table(self.columns, self.rows)]
        if self.notes:
            parts += ["", *self.notes]
        return "\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        claims = [asdict(claim) | {"holds": claim.holds} for claim in self.claims]
        return {"title": self.title, "figures": _plain(self.data), "claims": claims, "notes": self.notes}


def figure(values: Sequence[float]) -> Figure:
    """The median of some measurements, and their quartiles."""
    ordered = sorted(values)
    if len(ordered) < 2:
        return Figure(ordered[0], ordered[0], ordered[0], len(ordered))
    low, middle, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return Figure(middle, low, high, len(ordered))


def interleaved(rounds: int, contestants: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure all, round after round: what else the machine does hits them alike.

    Each round begins with another one: whoever is measured twice in a row finds its memory still at hand.
    """
    found: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(contestants[name]())
    return found


def ratio(ours: Sequence[float], reference: Sequence[float]) -> float:
    """The median of the ratios within each round: a slow moment of the machine is in both halves of a pair."""
    return statistics.median(mine / theirs for mine, theirs in zip(ours, reference, strict=True))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [_line(columns), _line(["---"] * len(columns))]
    return lines + [_line(row) for row in rows]


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _plain(value: Any) -> Any:
    match value:
        case Figure():
            return asdict(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
