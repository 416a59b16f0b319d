"""Fit a table to a terminal: the least important columns are left out, and no cell is folded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Console, Group
from rich.text import Text

from keras_sweep.space.text import escape
from keras_sweep.views.terminal.console import PIPE_WIDTH, longest_value
from keras_sweep.views.terminal.text import TRACK, shorten

GAP = 2  # cells between two columns
LONGEST = 40  # cells of a value on a terminal


@dataclass(frozen=True, slots=True)
class Column:
    header: str
    cells: Sequence[str | Text]
    keep: int = 0  # the column with the highest number leaves first; 0 stays
    right: bool = False
    style: str = ""  # of cells that are plain strings

    @property
    def width(self) -> int:
        return max(map(cell_len, [*self.header.split("\n"), *map(str, self.cells)]))


def fit_columns(forms: Iterable[list[Column]], width: int) -> tuple[list[Column], list[str]]:
    """Return the columns that fit into `width` characters, and the headers of the columns that do not fit.

    Each of `forms` has the same columns, from wide to narrow. Return the first form that fits, with two-line headers if
    needed. If no form fits, drop columns of the last form, highest `keep` first; columns with `keep` 0 always stay.
    """
    columns: list[Column] = []
    for form in forms:
        for columns in (form, [_fold_header(column, " ") for column in form]):
            if count_cells(columns) <= width:
                return columns, []
    columns = [_fold_header(column, "_. ") for column in columns]
    left_out: list[str] = []
    while count_cells(columns) > width and any(column.keep for column in columns):
        last = max(columns, key=lambda column: column.keep)
        columns.remove(last)
        left_out.insert(0, last.header.replace("\n", ""))
    return columns, left_out


def print_table(
    console: Console, columns: Sequence[Column], longest: Iterable[int] = (LONGEST,), most: int = PIPE_WIDTH
) -> None:
    """Print a table. If a terminal would show more than `most` rows, rows in the middle are left out.

    `longest`: widths in characters to cut values to. The first width at which the table fits is used.
    """
    width = console.width
    shown, left_out = drop_middle(columns, longest_value(width, most))
    console.print(draw_table(fit_columns((cut(shown, longest_value(width, length)) for length in longest), width)[0]))
    if left_out:
        console.print(f"{left_out:,} lines in the middle are left out", style="dim")


def drop_middle(columns: Sequence[Column], most: int) -> tuple[list[Column], int]:
    """Keep the first and last `most // 2` rows of more than `most` rows. Return (columns, number of rows left out)."""
    left_out = len(columns[0].cells) - most
    if left_out <= 0:
        return list(columns), 0
    half = most // 2
    return [replace(column, cells=[*column.cells[:half], *column.cells[-half:]]) for column in columns], left_out


def cut(columns: Sequence[Column], longest: int) -> list[Column]:
    """Shorten the headers and table cells to a width of `longest` characters, and escape control characters."""
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
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def draw_table(columns: Sequence[Column]) -> Group:
    """Draw headers, a rule, and rows. Rich's own table would take several times as long, and may wrap texts."""
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
    blanks = 0  # blanks before the next cell; a line never ends with blanks
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = width - cell_len(str(cell))
        if column.right:
            blanks += space
        if cell:
            line.append(" " * blanks).append_text(cell if isinstance(cell, Text) else Text(cell, column.style))
            blanks = 0
        blanks += GAP + (0 if column.right else space)
    return line


def _fold_header(column: Column, breaks: str) -> Column:
    """Split a header that is wider than its cells into two lines. A line may end after a character of `breaks`."""
    header = column.header
    places = [i + 1 for i, char in enumerate(header[:-1]) if char in breaks and "\n" not in header]
    if not places or column.width > cell_len(header):
        return column
    best = min(places, key=lambda place: max(place, len(header) - place))
    return replace(column, header=header[:best] + "\n" + header[best:])
