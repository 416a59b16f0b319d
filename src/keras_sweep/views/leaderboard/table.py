"""The leaderboard drawn for a terminal or a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.record.facts import Baseline
from keras_sweep.space.text import escaped
from keras_sweep.trial.events import Refit
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.columns import LeaderboardColumn, is_paired, leaderboard_columns, lines_of
from keras_sweep.views.leaderboard.notes import leaderboard_notes
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.drawing import TIE, CurveScale, sparkline
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import score_text, shorten

LONGEST_STATE = 60  # cells, in a pipe too: `sweep show` has the whole reason of a trial that failed
STATE_STYLES = {TrialState.COMPLETE: "", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}
CURVE_WIDTHS = (20, 12, 8)  # tried in this order
LONGEST_VALUE = 24  # cells of one value on a terminal; a pipe shows all of it
NEVER_CUT = {"value", "behind"}
RIGHT = {"rank", "number", "behind", "epochs", "seconds"}
TIMING = {"seconds", "engine"}


@dataclass(frozen=True, slots=True)
class LeaderboardTable:
    """A rich renderable; it fits itself to the width it is given when drawn."""

    ranking: Ranking
    varying: tuple[str, ...] | None = None  # parameters to show; by default those that differ between all trials
    baseline: Baseline | None = None  # stands below the trials, if it was scored by the objective's metric
    notes: bool = True
    timing: bool = True
    scale: CurveScale | None = None  # of the curves; by default that of the whole leaderboard

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.ranking.rows:
            yield Text("no trials", style="dim")
            return
        longest = longest_value(options.max_width, LONGEST_VALUE)
        # where trials are compared row by row, the errors that count are those of `behind`
        widths = [(width, errors) for errors in (True, False) for width in CURVE_WIDTHS]
        forms = [partial(self.columns, width, longest, errors=errors) for width, errors in widths]
        forms.append(partial(self.columns, CURVE_WIDTHS[-1], longest, errors=False, reasons=False))
        columns, left_out = fitted(forms, options.max_width)
        yield drawn(columns)
        if not self.notes:
            return
        if left_out:
            yield Text("not shown, for want of width: " + ", ".join(left_out), style="dim")
        if self.baseline is not None and self._baseline_score is not None:
            yield Text(f"baseline: {escaped(self.baseline.model)} on the same rows", style="dim")
        for note in leaderboard_notes(self.ranking):
            yield Text(note, style="dim")

    def columns(self, curve_width: int, longest: int, *, reasons: bool = True, errors: bool = True) -> list[Column]:
        """The leaderboard's columns, styled. `reasons` and `errors` as `leaderboard_columns` takes them."""
        of, objective = self.ranking.ranked, self.ranking.objective
        curves = [row.curve for row in of if row.state is not TrialState.FAIL]
        scale = self.scale or CurveScale(curves, objective.goal)  # of the sweep, whatever part of it is shown
        columns = leaderboard_columns(
            self.ranking,
            parameters=self.varying,
            errors=errors or not is_paired(of),  # where trials are compared in pairs, the errors of `behind` stay
            reasons=reasons,
            curve=lambda row: sparkline(row.curve, scale, width=curve_width),
        )
        lines = []
        for row in self.ranking.rows:
            own, *below = lines_of(row, columns)
            lines.append([_styled(_cut(text, one, longest), one, row) for text, one in zip(own, columns, strict=True)])
            lines += [[Text(text, style=_row_style(row)) for text in texts] for texts in below]
        if self._baseline_score is not None:
            reference = {"rank": "–", "number": "baseline", "value": score_text(self._baseline_score)}
            lines.append([Text(reference.get(column.key, ""), style="magenta") for column in columns])
        return [
            Column(_cut(escaped(column.head), column, longest), cells, column.keep, column.key in RIGHT)
            for column, cells in zip(columns, zip(*lines, strict=True), strict=True)
            if self.timing or column.key not in TIMING
        ]

    @property
    def _baseline_score(self) -> float | None:
        return None if self.baseline is None else self.baseline.validation.get(self.ranking.objective.name)


def _cut(text: str, column: LeaderboardColumn, longest: int) -> str:
    if column.key in NEVER_CUT:
        return text
    return shorten(text, min(longest, LONGEST_STATE) if column.key == "state" else longest)


def _styled(text: str, column: LeaderboardColumn, row: LeaderboardRow) -> Text:
    """A cell: what parameters and scores are, the winner's stand out."""
    if column.key == "state" or (column.key == "value" and row.state is TrialState.FAIL):
        return Text(text, style=STATE_STYLES[row.state])
    if column.parameter is not None and column.parameter not in row.params:
        return Text(text, style="dim")
    styled = Text(text, style=_row_style(row) if column.style is None else column.style)
    if column.key == "value" and row.tie:
        styled.stylize("not bold cyan", len(text) - len(TIE))
    return styled


def _row_style(row: LeaderboardRow) -> str:
    if row.state is TrialState.FAIL:
        return "dim"
    return "bold green" if row.winner else ""


def refit_line(refit: Refit) -> Text:
    """`refit trial 36 with seed 43: trained again on all 60,000 rows for 17 epochs`."""
    seed = "" if refit.seed is None else f" with seed {refit.seed}"
    return Text.assemble(("refit ", "bold"), f"trial {refit.trial}{seed}: {refit.text}")
