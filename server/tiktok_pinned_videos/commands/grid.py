"""A grid that fits a terminal. It drops columns in a fixed order instead of wrapping, and never shortens a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.bar import Bar
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

_GAP: Final = 2
_BAR_WIDTHS: Final = (6, 30)
_TEXT_WIDTH: Final = 12


@dataclass(frozen=True)
class Column:
    """A column. `more`: how many characters it may grow beyond `width`."""

    name: str
    header: str
    cells: Sequence[RenderableType]
    width: int
    more: int = 0
    right: bool = False
    footer: str = ""


def texts(
    name: str, header: str, cells: Iterable[Text | str], *, right: bool = False, footer: str = "", clip: bool = False
) -> Column:
    """A column of texts. `clip`: they may be clipped to what is left of the terminal's width."""
    whole = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
    longest = max([cell_len(header), cell_len(footer), *(text.cell_len for text in whole)])
    least = min(longest, _TEXT_WIDTH) if clip else longest
    return Column(name, header, whole, least, longest - least, right, footer)


def bars(name: str, values: Sequence[float | None]) -> Column:
    """A bar for each value; the highest fills the column."""
    least, most = _BAR_WIDTHS
    top = max((value for value in values if value is not None), default=0)
    # A value above 0 is visible, however small.
    ends = [max(value, top / least / 8) if value and value > 0 else 0 for value in values]
    return Column(name, "", [Bar(top or 1, 0, end, color="cyan") for end in ends], least, most - least)


def fitted(columns: Sequence[Column], dropped: Iterable[str], width: int) -> Table:
    """Return a table that is at most `width` wide, if it can be without the columns `dropped`, in their order."""
    kept = list(columns)
    for name in dropped:
        if _needed(kept) > width:
            kept = [column for column in kept if column.name != name]
    spare = max(width - _needed(kept), 0)
    footer = any(column.footer for column in kept)
    table = Table(
        box=box.SIMPLE, show_edge=False, show_footer=footer, padding=(0, 0, 0, _GAP - 1), pad_edge=False,
        header_style="bold", footer_style="bold", border_style="dim",
    )  # fmt: skip
    for place, column in enumerate(kept):
        # The bar comes before the text and may take a third of the spare columns, or all if there is no text.
        more = min(column.more, spare // 3 if any(each.more for each in kept[place + 1 :]) else spare)
        spare -= more
        table.add_column(
            column.header, Text(column.footer), width=column.width + more, no_wrap=True, overflow="ellipsis",
            justify="right" if column.right else "left",
        )  # fmt: skip
    for row in zip(*(column.cells for column in kept), strict=True):
        table.add_row(*row)
    return table


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)
