"""The leaderboard drawn for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.refit import Refit
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.formats import (
    behind_text,
    epochs_text,
    is_paired,
    leaderboard_notes,
    state_text,
    texts_below,
    time_text,
)
from keras_sweep.views.leaderboard.rows import LeaderboardRow, ReferenceRow, varying_names
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.curve_scale import CurveScale
from keras_sweep.views.terminal.drawing import Drawing, drawing_for, sparkline
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import safe, score_text, shorten, value_text

STATE_STYLES = {TrialState.COMPLETE: "", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}
CURVE_WIDTHS = (20, 12, 8)  # tried in this order
LONGEST_VALUE = 24  # cells of one value on a terminal; a pipe shows all of it


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
    brief: bool = False  # without the notes of what is not shown, and of the rules of the order
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
        if left_out and not self.brief:
            yield Text("not shown, for want of width: " + ", ".join(left_out), style="dim")
        for reference in self.references:
            yield Text(f"{safe(reference.name)}: {safe(reference.detail)} on the same rows", style="dim")
        of, brief = self.of or self.rows, self.brief
        notes = leaderboard_notes(of, self.objective, self.comparison, tie=drawing.tie, pm=drawing.pm, brief=brief)
        for note in notes:
            yield Text(note, style="dim")

    def columns(
        self, drawing: Drawing, curve_width: int, longest: int, *, reasons: bool = True, errors: bool = True
    ) -> list[Column]:
        """Every column there is something to say in, left to right.

        `reasons` says why a trial ended early, `errors` the standard error of its value beside that of `behind`.
        """
        rows, paired = self.rows, is_paired(self.of or self.rows)
        varying = varying_names(self.of or rows) if self.varying is None else self.varying
        columns = [
            Column("#", tuple(Text(str(row.rank), style="dim") for row in rows), right=True),
            Column("trial", tuple(Text(str(row.number), style=_row_style(row)) for row in rows), keep=1, right=True),
            Column(safe(self.objective.name), tuple(_score(row, drawing, errors=errors or not paired) for row in rows)),
        ]
        if paired:
            behind = tuple(Text(behind_text(row, self.objective, pm=drawing.pm)) for row in rows)
            columns.append(Column("behind", behind, keep=3, right=True))
        for index, name in enumerate(varying):
            if name != "epochs":  # the column of that name shows it
                header = shorten(safe(name), longest, drawing.ellipsis)
                columns.append(Column(header, tuple(_param(row, name, longest, drawing) for row in rows), 10 + index))
        imported = any(row.imported for row in rows)
        if imported or any(row.state is not TrialState.COMPLETE for row in rows):
            states = tuple(_state(row, longest, drawing, reasons) for row in rows)
            columns.append(Column("state", states, keep=2 if imported else 60))
        keep = 10 + varying.index("epochs") if "epochs" in varying else 61
        columns.append(Column("epochs", tuple(Text(epochs_text(row)) for row in rows), keep, right=True))
        if any(len(row.curve) > 1 for row in rows):
            whole = [row.curve for row in self.of or rows if row.state is not TrialState.FAIL]
            scale = self.scale or CurveScale(whole, self.objective.goal)  # of the sweep, whatever part of it is shown
            lines = (sparkline(row.curve, drawing, width=curve_width, scale=scale) for row in rows)
            columns.append(Column("curve", tuple(Text(line, style="cyan") for line in lines), keep=300))
        if self.timing:
            texts = tuple(Text(time_text(row), style="dim") for row in rows)
            columns.append(Column("time", texts, keep=200, right=True))
            if len({row.engine for row in rows}) > 1:
                engines = tuple(Text(shorten(safe(row.engine), longest, drawing.ellipsis), style="dim") for row in rows)
                columns.append(Column("engine", engines, keep=201))
        columns = [self._with_seeds(column, index, drawing) for index, column in enumerate(columns)]
        return [self._with_references(column, index, drawing) for index, column in enumerate(columns)]

    def _with_seeds(self, column: Column, index: int, drawing: Drawing) -> Column:
        """The column with cells below each trial whose recipe was trained with other seeds, too."""
        cells = []
        for row, own in zip(self.rows, column.cells, strict=True):
            cells.append(own)
            for number, score in texts_below(row, times=drawing.times, pm=drawing.pm):
                cells.append(Text(("", number, score, "")[min(index, 3)], style=_row_style(row)))
        return replace(column, cells=tuple(cells))

    def _with_references(self, column: Column, index: int, drawing: Drawing) -> Column:
        """The column with a cell for each reference: a dash, its name, its score, then nothing."""
        cells = []
        for reference in self.references:
            texts = (drawing.dash, safe(reference.name), score_text(reference.value))
            cells.append(Text(texts[index] if index < len(texts) else "", style="magenta"))
        return replace(column, cells=(*column.cells, *cells))


def _score(row: LeaderboardRow, drawing: Drawing, *, errors: bool) -> Text:
    if row.state is TrialState.FAIL:
        return Text("failed", style=STATE_STYLES[row.state])
    text = Text(score_text(row.value, row.stderr if errors else None, pm=drawing.pm), style=_row_style(row))
    if row.tie:
        text.append(f" {drawing.tie}", style="not bold cyan")
    return text


def _param(row: LeaderboardRow, name: str, longest: int, drawing: Drawing) -> Text:
    if name not in row.params:
        return Text(drawing.dash, style="dim")
    return Text(shorten(value_text(row.params[name]), longest, drawing.ellipsis), style=_row_style(row))


def _state(row: LeaderboardRow, longest: int, drawing: Drawing, reasons: bool) -> Text:
    text = state_text(row if reasons else replace(row, reason=None))
    return Text(shorten(text, longest, drawing.ellipsis), style=STATE_STYLES[row.state])


def _row_style(row: LeaderboardRow) -> str:
    if row.state is TrialState.FAIL:
        return "dim"
    return "bold green" if row.winner else ""


def refit_line(refit: Refit) -> Text:
    """`refit trial 36 with seed 43: trained again on all 60,000 rows for 17 epochs`."""
    seed = "" if refit.seed is None else f" with seed {refit.seed}"
    return Text.assemble(("refit ", "bold"), f"trial {refit.trial}{seed}: {refit.text}")
