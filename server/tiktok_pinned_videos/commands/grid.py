"""A grid that fits a terminal: it drops columns in a stated order instead of wrapping, and never shortens a number."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rich import box
from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from .streams import width

DIM: Final = "dim"
TOTAL: Final = "total"
UNKNOWN: Final = "?"
"""A value that TikTok did not send."""
NONE: Final = "-"
LABELS: Final = {
    "view_count": "views",
    "like_count": "likes",
    "comment_count": "comments",
    "share_count": "shares",
    "favorites_count": "favorites",
    "engagement_rate": "engagement",
}
_GAP: Final = 2
_MIN_WIDTH: Final = 32
"""Narrower terminals wrap the lines: to crop a number would change it."""
_BAR_WIDTHS: Final = (6, 30)
_TEXT_WIDTH: Final = 12


@dataclass
class Column:
    """A column. `more`: how many characters it may grow beyond `width`."""

    name: str
    header: str
    cells: Sequence[RenderableType]
    width: int
    more: int = 0
    right: bool = False
    footer: str = ""


@dataclass
class Grid:
    """Columns from left to right. `dropped`: the order in which they are left out on a narrow terminal."""

    dropped: Sequence[str]
    columns: list[Column] = field(default_factory=list[Column])

    def texts(
        self, name: str, header: str, cells: Iterable[Text | str], *, right: bool = False, footer: str = ""
    ) -> None:
        """Add a column that is shown whole."""
        texts = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
        wide = max([cell_len(header), cell_len(footer), *(text.cell_len for text in texts)])
        self.columns.append(Column(name, header, texts, wide, right=right, footer=footer))

    def clipped(self, name: str, header: str, cells: Sequence[Text]) -> None:
        """Add a column whose texts are clipped to what is left of the terminal's width."""
        longest = max([cell_len(header), *(cell.cell_len for cell in cells)])
        least = min(longest, _TEXT_WIDTH)
        self.columns.append(Column(name, header, cells, least, longest - least))

    def bars(self, name: str, values: Sequence[float | None]) -> None:
        """Add a bar for each value; the highest fills the column."""
        least, most = _BAR_WIDTHS
        top = max((value for value in values if value is not None), default=0)
        # A value above 0 is visible, however small.
        ends = [max(value, top / least / 8) if value and value > 0 else 0 for value in values]
        bars = [Bar(top or 1, 0, end, color="cyan") for end in ends]
        self.columns.append(Column(name, "", bars, least, most - least))

    def fitted(self, columns: int) -> Table:
        """Return a table that is at most `columns` wide, if dropping columns can achieve it."""
        kept = list(self.columns)
        for name in self.dropped:
            if _needed(kept) > columns:
                kept = [column for column in kept if column.name != name]
        spare = max(columns - _needed(kept), 0)
        footer = any(column.footer for column in kept)
        if footer and all(column.footer != TOTAL for column in kept):
            kept[0] = replace(kept[0], footer="Σ")
        table = Table(
            box=box.SIMPLE, show_edge=False, show_footer=footer, padding=(0, 0, 0, _GAP - 1), pad_edge=False,
            header_style="bold", footer_style="bold", border_style=DIM,
        )  # fmt: skip
        for column in kept:
            growing = sum(each.more > 0 for each in kept[kept.index(column) :])
            # The bar comes before the text and may take a third of the spare columns, or all if there is no text.
            more = min(column.more, spare if growing == 1 else spare // 3) if growing else 0
            spare -= more
            table.add_column(
                column.header, Text(column.footer), width=column.width + more, no_wrap=True, overflow="ellipsis",
                justify="right" if column.right else "left",
            )  # fmt: skip
        for row in zip(*(column.cells for column in kept), strict=True):
            table.add_row(*row)
        return table


def console() -> Console:
    """Return a console on stdout, in the terminal's width and colors; plain text if stdout is not a terminal."""
    return Console(width=max(width(), _MIN_WIDTH), highlight=False, markup=False, emoji=False, legacy_windows=False)


def link(url: str, *, environment: Mapping[str, str]) -> Style:
    """Return a style that links a text. The Linux console would print the escape sequence."""
    return Style() if environment.get("TERM") == "linux" else Style(link=url)


def exact(value: float | None, measure: str = "") -> str:
    """Return every digit, with thousands separators; a rate in percent, to four digits as it is defined."""
    if measure == "engagement_rate":
        return NONE if value is None else f"{value:.2%}"
    return UNKNOWN if value is None else f"{value:,}"


def isolated(text: str) -> str:
    """Enclose right-to-left text in isolates, so that the columns beside it keep their places."""
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return f"\u2068{text}\u2069"
    return text


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)
