"""A table that fits itself to a terminal: columns leave in order of importance, nothing is folded or cut."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Console, Group
from rich.text import Text

from keras_sweep.space.text import escape
from keras_sweep.views.terminal.console import PIPE_WIDTH, longest_value
from keras_sweep.views.terminal.text import TRACK, shorten

GAP = 2  # cells between two columns
LONGEST = 40  # cells of one value on a terminal


@dataclass(frozen=True, slots=True)
class Column:
    """One column before it is known whether it fits."""

    header: str
    cells: Sequence[str | Text]
    keep: int = 0  # the column with the highest leaves first; 0 stays
    right: bool = False
    style: str = ""  # of cells that have none of their own

    @property
    def width(self) -> int:
        return max(map(cell_len, [*self.header.split("\n"), *map(str, self.cells)]))


def fit_columns(forms: Iterable[list[Column]], width: int) -> tuple[list[Column], list[str]]:
    """The columns that fit, and the headers of those that do not.

    `forms` are the same columns wider to narrower: the first that fits is taken, with headers of several words folded
    where that helps. Where none fits, all headers of the last one are folded, and then columns leave.
    """
    columns: list[Column] = []
    for form in forms:
        for columns in (form, [_folded(column, " ") for column in form]):
            if count_cells(columns) <= width:
                return columns, []
    columns = [_folded(column, "_. ") for column in columns]
    left_out: list[str] = []
    while count_cells(columns) > width and any(column.keep for column in columns):
        last = max(columns, key=lambda column: column.keep)
        columns.remove(last)
        left_out.insert(0, last.header.replace("\n", ""))
    return columns, left_out


def print_table(
    console: Console, columns: Sequence[Column], longest: Iterable[int] = (LONGEST,), most: int = PIPE_WIDTH
) -> None:
    """Print it; on a terminal at most so many lines, cells cut to the first of these lengths with which it fits."""
    width = console.width
    shown, left_out = without_middle(columns, longest_value(width, most))
    console.print(draw_table(fit_columns((cut(shown, longest_value(width, each)) for each in longest), width)[0]))
    if left_out:
        console.print(f"{left_out:,} lines in the middle are left out", style="dim")


def without_middle(columns: Sequence[Column], most: int) -> tuple[list[Column], int]:
    """(the columns with their first and last cells, an even number, at most so many; how many are left out)."""
    left_out = len(columns[0].cells) - most
    if left_out <= 0:
        return list(columns), 0
    half = most // 2
    return [replace(column, cells=[*column.cells[:half], *column.cells[-half:]]) for column in columns], left_out


def cut(columns: Sequence[Column], longest: int) -> list[Column]:
    """The same with no header or cell of more than `longest` cells, and nothing in them that steers a terminal."""
    return [
        replace(
            column,
            header=shorten(escape(column.header), longest),
            cells=[
                Text(shorten(escape(str(cell)), longest), cell.style if isinstance(cell, Text) else column.style)
                for cell in column.cells
            ],
        )
        for column in columns
    ]


def count_cells(columns: Sequence[Column]) -> int:
    """Cells that the columns need side by side."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def draw_table(columns: Sequence[Column]) -> Group:
    """The table line by line: bold headers, a rule, rows. Several times as fast as rich's own, whose cells may fold."""
    widths = [column.width for column in columns]
    heads = [column.header.split("\n") for column in columns]
    depth = max(map(len, heads))
    padded = [[""] * (depth - len(head)) + [Text(text, style="bold") for text in head] for head in heads]
    rule = Text(TRACK * count_cells(columns), style="dim", no_wrap=True, overflow="crop")
    rows = zip(*(column.cells for column in columns), strict=True)
    return Group(
        *(_line(texts, columns, widths) for texts in zip(*padded, strict=True)),
        rule,
        *(_line(cells, columns, widths) for cells in rows),
    )


def _line(cells: Sequence[str | Text], columns: Sequence[Column], widths: Sequence[int]) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    room = 0  # blanks that are due before the next cell; none is left at the end of a line
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = width - cell_len(str(cell))
        if column.right:
            room += space
        if cell:
            line.append(" " * room).append_text(cell if isinstance(cell, Text) else Text(cell, column.style))
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
