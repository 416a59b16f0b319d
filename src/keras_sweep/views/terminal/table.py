"""A table that fits itself to a terminal: columns leave in order of importance, nothing is folded or cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from keras_sweep.views.terminal.drawing import TRACK

GAP = 2  # cells between two columns


@dataclass(frozen=True, slots=True)
class Column:
    """One column before it is known whether it fits."""

    header: str
    cells: tuple[Text, ...]
    keep: int = 0  # the column with the highest leaves first; 0 stays
    right: bool = False

    @property
    def width(self) -> int:
        return max([*(cell_len(line) for line in self.header.split("\n")), *(text.cell_len for text in self.cells)])


def fitted(forms: Sequence[Callable[[], list[Column]]], width: int) -> tuple[list[Column], list[str]]:
    """The columns that fit, and the headers of those that do not.

    `forms` draw the same columns wider to narrower: the first that fits is taken, with headers of several words folded
    where that helps. Where none fits, all headers of the last one are folded, and then columns leave.
    """
    columns: list[Column] = []
    for form in forms:
        for columns in (form(), [_folded(column, " ") for column in form()]):
            if needed(columns) <= width:
                return columns, []
    columns = [_folded(column, "_. ") for column in columns]
    left_out: list[str] = []
    while needed(columns) > width and any(column.keep for column in columns):
        last = max(columns, key=lambda column: column.keep)
        columns.remove(last)
        left_out.insert(0, last.header.replace("\n", ""))
    return columns, left_out


def needed(columns: Sequence[Column]) -> int:
    """Cells that the columns need side by side."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def drawn(columns: Sequence[Column]) -> Group:
    """The table line by line: bold headers, a rule, rows. Several times as fast as rich's own, whose cells may fold."""
    widths = [column.width for column in columns]
    heads = [column.header.split("\n") for column in columns]
    depth = max(map(len, heads))
    padded = [[""] * (depth - len(head)) + head for head in heads]
    lines = [[Text(text, style="bold") for text in texts] for texts in zip(*padded, strict=True)]
    rule = Text(TRACK * needed(columns), style="dim", no_wrap=True, overflow="crop")
    rows = zip(*(column.cells for column in columns), strict=True)
    return Group(
        *(_line(cells, columns, widths) for cells in lines), rule, *(_line(row, columns, widths) for row in rows)
    )


def _line(cells: Sequence[Text], columns: Sequence[Column], widths: Sequence[int]) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    room = 0  # blanks that are due before the next cell; none is left at the end of a line
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = width - cell.cell_len
        if column.right:
            room += space
        if cell.plain:
            line.append(" " * room).append_text(cell)
            room = 0
        room += GAP + (0 if column.right else space)
    return line


def _folded(column: Column, breaks: str) -> Column:
    """The header in two lines, where it is what makes the column wide: `learning_` over `rate`."""
    header = column.header
    places = [i + 1 for i, char in enumerate(header[:-1]) if char in breaks and "\n" not in header]
    if not places or column.width > cell_len(header):
        return column
    best = min(places, key=lambda place: max(place, len(header) - place))
    return replace(column, header=header[:best] + "\n" + header[best:])
