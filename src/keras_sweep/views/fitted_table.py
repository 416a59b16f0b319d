"""A table that fits itself to a terminal: columns leave in order of importance, nothing is folded or cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.box import Box
from rich.cells import cell_len
from rich.console import ConsoleOptions
from rich.table import Table
from rich.text import Text

HEAD_RULE = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
HEAD_RULE_ASCII = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
GAP = 2  # cells between two columns, one of them the box's


@dataclass(frozen=True, slots=True)
class Column:
    """One column before it is known whether it fits."""

    header: str
    cells: tuple[Text, ...]
    keep: int = 0  # the column with the highest leaves first; 0 stays
    right: bool = False

    @property
    def width(self) -> int:
        """Cells that it needs."""
        return max([*(cell_len(line) for line in self.header.split("\n")), *(text.cell_len for text in self.cells)])


def fitted(forms: Sequence[Callable[[], list[Column]]], width: int) -> tuple[list[Column], list[str]]:
    """The columns that fit, and the headers of those that do not.

    `forms` draw the same columns wider to narrower: the first that fits is taken. Where none does, the last one's
    headers are folded, and then columns leave.
    """
    columns: list[Column] = []
    for form in forms:
        columns = form()
        if needed(columns) <= width:
            return columns, []
    columns = [_narrowed(column) for column in columns]
    left_out: list[str] = []
    while needed(columns) > width:
        last = max(columns, key=lambda column: column.keep)
        if last.keep == 0:
            break
        columns.remove(last)
        left_out.insert(0, last.header.replace("\n", ""))
    return columns, left_out


def needed(columns: Sequence[Column]) -> int:
    """Cells that the columns need side by side."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def drawn(columns: Sequence[Column], options: ConsoleOptions) -> Table:
    """The table: bold headers, a rule, rows."""
    table = Table(
        box=HEAD_RULE_ASCII if options.ascii_only else HEAD_RULE,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        header_style="bold",
        border_style="dim",
        show_edge=False,
    )
    for column in columns:
        table.add_column(
            Text(column.header), justify="right" if column.right else "left", no_wrap=True, vertical="bottom"
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _narrowed(column: Column) -> Column:
    """The header in two lines, where it is what makes the column wide: `learning_` over `rate`."""
    header = column.header
    places = [i + 1 for i, char in enumerate(header[:-1]) if char in "_. "]
    if not places or column.width > cell_len(header):
        return column
    best = min(places, key=lambda place: max(place, len(header) - place))
    return replace(column, header=header[:best] + "\n" + header[best:])
