"""Rows that no good trial gets right, as pictures or a table on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.plain_text import joined
from keras_sweep.sweep.hard_rows import HardRow, HardRows, Missed
from keras_sweep.views.row_cells import row_cells, shown_columns
from keras_sweep.views.sample_images import PictureLines, Pixels, grid_of, picture_of
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import safe, shorten

MOST_PICTURES = 20  # on a terminal
MOST_ROWS = 20
MOST_IN_FILE = 200  # pictures
ACROSS = 10
LONGEST = 20  # characters of a class
MIXED_UP = 5  # pairs of classes that are named


def missed_sentence(missed: Missed) -> str:
    """`441 of 12,000 validation rows are wrong in each of the 17 trials that tie with the best`."""
    count, trials = len(missed.rows), len(missed.trials)
    rows = f"{count:,} of {missed.total:,} validation rows" if count else "no validation row"
    if trials == 1:
        return f"{rows} {'is' if count <= 1 else 'are'} wrong in the only trial"
    whose = f"the {trials} trials that tie with the best" if missed.tied else f"the best {trials} trials"
    return f"{rows} {'is' if count <= 1 else 'are'} wrong in each of {whose}"


def hard_picture(found: HardRows) -> Pixels:
    """The first of them side by side."""
    pictures = _pictures(found, found.rows[:MOST_IN_FILE])
    return grid_of([pictures[start : start + ACROSS] for start in range(0, len(pictures), ACROSS)], ACROSS)


@dataclass(frozen=True)
class HardRowsView:
    """A rich renderable. In a pipe it is a table of all rows."""

    found: HardRows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found = self.found
        yield Text(safe(found.data.name), style="bold")
        yield Text(f"{missed_sentence(found.missed)}.")
        if not found.rows:
            return
        if found.asked:
            yield Text(f"What they take them for is what trials {joined(map(str, found.asked))} say together.")
            yield Text(f"Most often: {_mixed_up(found)}.")
        else:
            yield Text(f"What they take them for is not known: {found.why_not}.")
        yield Text()
        if console.is_terminal and found.data.image_shape is not None:
            shown = found.rows[:MOST_PICTURES]
            yield Text("row, label, taken for", style="dim")
            captions = [(str(one.row), one.label, one.said or "") for one in shown]
            yield PictureLines(_pictures(found, shown), captions)
        else:
            shown = found.rows[:MOST_ROWS] if console.is_terminal else found.rows
            columns = hard_rows_columns(found, shown)
            yield drawn(fitted([lambda: columns], options.max_width)[0] if console.is_terminal else columns, options)
        if len(shown) < len(found):
            yield Text(f"and {len(found) - len(shown):,} more", style="dim")


def _pictures(found: HardRows, rows: Sequence[HardRow]) -> list[Pixels]:
    return [picture_of(found.data, one.row, found.data.validation) for one in rows]


def _mixed_up(found: HardRows) -> str:
    """`Shirt taken for Coat 80 times, ...`."""
    pairs = Counter((one.label, one.said) for one in found.rows if one.said is not None)
    return joined(
        f"{_class(label)} taken for {_class(said)} ({count:,})" for (label, said), count in pairs.most_common(MIXED_UP)
    )


def _class(name: str) -> str:
    return shorten(safe(name), LONGEST)


def hard_rows_columns(found: HardRows, rows: Sequence[HardRow]) -> list[Column]:
    """Some of the rows as a table: label, what they are taken for, values."""
    names, _ = shown_columns(found.data, found.table)
    columns = [
        Column("row", tuple(Text(str(one.row)) for one in rows), right=True),
        Column("label", tuple(Text(_class(one.label)) for one in rows)),
    ]
    if found.asked:
        columns.append(Column("taken for", tuple(Text(_class(one.said or "")) for one in rows)))
        votes = tuple(Text(f"{one.votes} of {len(found.asked)}") for one in rows)
        columns.append(Column("by", votes, right=True))
    cells = [row_cells(found.data, found.table, one.row, names) for one in rows]
    for place, name in enumerate(names):
        texts = tuple(Text(row[place]) for row in cells)
        columns.append(Column(_class(name), texts, keep=place + 1, right=True))
    return columns
