"""The leaderboard drawn for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escaped
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.events import Refit
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.columns import LeaderboardColumn, is_paired, leaderboard_columns, seeds_texts
from keras_sweep.views.leaderboard.notes import leaderboard_notes
from keras_sweep.views.leaderboard.rows import LeaderboardRow, ReferenceRow, varying_names
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.drawing import CurveScale, Drawing, drawing_for, sparkline
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import score_text, shorten

LONGEST_STATE = 60  # cells, in a pipe too: `sweep show` has the whole reason of a trial that failed
STATE_STYLES = {TrialState.COMPLETE: "", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}
STYLES = {"rank": "dim", "behind": "", "epochs": "", "curve": "cyan", "seconds": "dim", "engine": "dim"}
CURVE_WIDTHS = (20, 12, 8)  # tried in this order
LONGEST_VALUE = 24  # cells of one value on a terminal; a pipe shows all of it
NEVER_CUT = {"value", "behind"}
RIGHT = {"rank", "number", "behind", "epochs", "seconds"}
TIMING = {"seconds", "engine"}
# The column with the highest number leaves first where there is no room; 0 stays.
KEEP = {"rank": 0, "number": 1, "value": 0, "behind": 3, "state": 60, "seconds": 200, "engine": 201, "curve": 300}
KEEP_IMPORTED = 2  # of the state, which says what can't win
KEEP_PARAMETER, KEEP_EPOCHS = 10, 61  # the first parameter, the others after it; epochs that are no parameter


@dataclass(frozen=True, slots=True)
class LeaderboardTable:
    """A rich renderable; it fits itself to the width it is given when drawn."""

    rows: Sequence[LeaderboardRow]
    objective: Objective
    comparison: Comparison | None = None  # what the rows' ties are of
    of: Sequence[LeaderboardRow] | None = None  # the whole leaderboard, where `rows` is a part of it
    varying: tuple[str, ...] | None = None  # parameters to show; by default those that differ between all trials
    references: Sequence[ReferenceRow] = ()  # stand below the trials
    notes: bool = True
    timing: bool = True
    scale: CurveScale | None = None  # of the curves; by default that of the whole leaderboard

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.rows:
            yield Text("no trials", style="dim")
            return
        drawing = drawing_for(options.encoding)
        longest = longest_value(options.max_width, LONGEST_VALUE)
        # where trials are compared row by row, the errors that count are those of `behind`
        widths = [(width, errors) for errors in (True, False) for width in CURVE_WIDTHS]
        forms = [partial(self.columns, drawing, width, longest, errors=errors) for width, errors in widths]
        forms.append(partial(self.columns, drawing, CURVE_WIDTHS[-1], longest, errors=False, reasons=False))
        columns, left_out = fitted(forms, options.max_width)
        yield drawn(columns, options)
        if not self.notes:
            return
        if left_out:
            yield Text("not shown, for want of width: " + ", ".join(left_out), style="dim")
        for reference in self.references:
            yield Text(f"{escaped(reference.name)}: {escaped(reference.detail)} on the same rows", style="dim")
        of = self.of or self.rows
        for note in leaderboard_notes(of, self.objective, self.comparison, tie=drawing.tie, pm=drawing.pm):
            yield Text(note, style="dim")

    def columns(
        self, drawing: Drawing, curve_width: int, longest: int, *, reasons: bool = True, errors: bool = True
    ) -> list[Column]:
        """The leaderboard's columns, styled. `reasons` and `errors` as `leaderboard_columns` takes them."""
        of = self.of or self.rows
        varying = varying_names(of) if self.varying is None else self.varying
        curves = [row.curve for row in of if row.state is not TrialState.FAIL]
        scale = self.scale or CurveScale(curves, self.objective.goal)  # of the sweep, whatever part of it is shown
        columns = leaderboard_columns(
            self.rows,
            of,
            self.objective,
            drawing,
            parameters=varying,
            errors=errors or not is_paired(of),  # where trials are compared in pairs, the errors of `behind` stay
            reasons=reasons,
            curve=lambda row: sparkline(row.curve, drawing, width=curve_width, scale=scale),
        )
        return [
            Column(
                _cut(escaped(column.head), column, longest, drawing),
                tuple(self._cells(column, place, longest, drawing)),
                _keep(column, varying, self.rows),
                column.key in RIGHT,
            )
            for place, column in enumerate(columns)
            if self.timing or column.key not in TIMING
        ]

    def _cells(self, column: LeaderboardColumn, place: int, longest: int, drawing: Drawing) -> Iterator[Text]:
        """A cell a trial, with one for its seeds below it where it has several; then a cell a reference."""
        for row in self.rows:
            yield _styled(_cut(column.text(row), column, longest, drawing), column, row, drawing)
            if row.seeds is not None:
                below = ("", *seeds_texts(row.seeds, times=drawing.times, pm=drawing.pm))
                yield Text(below[place] if place < len(below) else "", style=_row_style(row))
        for reference in self.references:
            texts = (drawing.dash, escaped(reference.name), score_text(reference.value))
            yield Text(texts[place] if place < len(texts) else "", style="magenta")


def _cut(text: str, column: LeaderboardColumn, longest: int, drawing: Drawing) -> str:
    if column.key in NEVER_CUT:
        return text
    return shorten(text, min(longest, LONGEST_STATE) if column.key == "state" else longest, drawing.ellipsis)


def _styled(text: str, column: LeaderboardColumn, row: LeaderboardRow, drawing: Drawing) -> Text:
    """A cell: what parameters and scores are, the winner's stand out."""
    if column.key == "state" or (column.key == "value" and row.state is TrialState.FAIL):
        return Text(text, style=STATE_STYLES[row.state])
    if column.parameter is not None and column.parameter not in row.params:
        return Text(text, style="dim")
    styled = Text(text, style=STYLES.get(column.key, _row_style(row)))
    if column.key == "value" and row.tie:
        styled.stylize("not bold cyan", len(text) - len(drawing.tie))
    return styled


def _keep(column: LeaderboardColumn, varying: Sequence[str], rows: Sequence[LeaderboardRow]) -> int:
    """How long the column keeps its place."""
    name = column.parameter or column.key
    if name in varying and column.key not in KEEP:
        return KEEP_PARAMETER + varying.index(name)
    if column.key == "state" and any(row.imported for row in rows):
        return KEEP_IMPORTED
    return KEEP.get(column.key, KEEP_EPOCHS)


def _row_style(row: LeaderboardRow) -> str:
    if row.state is TrialState.FAIL:
        return "dim"
    return "bold green" if row.winner else ""


def refit_line(refit: Refit) -> Text:
    """`refit trial 36 with seed 43: trained again on all 60,000 rows for 17 epochs`."""
    seed = "" if refit.seed is None else f" with seed {refit.seed}"
    return Text.assemble(("refit ", "bold"), f"trial {refit.trial}{seed}: {refit.text}")
