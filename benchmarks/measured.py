"""Medians, ratios and Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

RATIO: Final = "A ratio is the number of this server divided by the number of the reference, both from the same row."
TIMES: Final = "Times, rates and memory are medians of alternating runs, with the quartiles in brackets. " + RATIO
_COLUMNS: Final = ("what", "this server", "reference", "ratio", "promised")


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `goal` is the ratio that this project promises, if any."""

    what: str
    ours: str
    reference: str
    ratio: float
    goal: float | None = None
    at_least: bool = False

    def cells(self) -> list[str]:
        """Return the cells of the table's row."""
        promised = ""
        if self.goal is not None:
            kept = self.ratio >= self.goal if self.at_least else self.ratio <= self.goal
            promised = f"{'≥' if self.at_least else '≤'} {self.goal:.2f}{'' if kept else ' (missed)'}"
        return [self.what, self.ours, self.reference, f"{self.ratio:.2f}", promised]


@dataclass(slots=True)
class Section:
    """All rows of one benchmark, with a sentence that says what the reference is."""

    title: str
    note: str
    rows: list[Row] = field(default_factory=list[Row])

    def markdown(self) -> str:
        """Return the heading, the note and the table."""
        return "\n".join([f"### {self.title}", "", self.note, "", *table(self.rows)])


def compared(
    what: str, ours: Sequence[float], reference: Sequence[float], unit: str,
    *, goal: float | None = None, at_least: bool = False,
) -> Row:  # fmt: skip
    """Compare the medians of two series of measurements."""
    ratio = statistics.median(ours) / statistics.median(reference)
    return Row(what, _spread(ours, unit), _spread(reference, unit), ratio, goal, at_least)


def interleaved(rounds: int, contestants: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure all contestants in every round, each round beginning with the next one: other load hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(contestants[name]())
    return found


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [_COLUMNS, ["---"] * len(_COLUMNS), *(row.cells() for row in rows)]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _spread(values: Sequence[float], unit: str) -> str:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{_number(median)} {unit} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
