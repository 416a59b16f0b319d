"""The leaderboard drawn for a terminal or a pipe."""

from collections.abc import Sequence

from rich.console import Console, Group
from rich.text import Text

from keras_sweep.record.facts import Baseline, Refit
from keras_sweep.space.text import escape
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking
from keras_sweep.views.leaderboard.texts import (
    LeaderboardColumn,
    is_paired,
    leaderboard_columns,
    leaderboard_notes,
    lines_of,
)
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.table import Column, draw_table, fit_columns
from keras_sweep.views.terminal.text import TIE, CurveScale, score_text, shorten, sparkline

LONGEST_STATE = 60  # cells, in a pipe too: `sweep show` has the whole reason of a trial that failed
STATE_STYLES = {TrialState.COMPLETE: "", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}
CURVE_WIDTHS = (20, 12, 8)  # tried in this order
LONGEST_VALUE = 24  # cells of one value on a terminal; a pipe shows all of it
NEVER_CUT = {"value", "behind"}


def print_leaderboard(console: Console, ranking: Ranking, baseline: Baseline | None = None) -> None:
    """The table, and what must be said with it; a baseline below the trials, if the objective's metric scored it."""
    if not ranking.rows:
        console.print(Text("no trials", style="dim"))
        return
    reference = baseline.validation.get(ranking.objective.name) if baseline is not None else None
    table, left_out = leaderboard_table(ranking, console.width, reference=reference)
    console.print(table)
    notes = ["not shown, for want of width: " + ", ".join(left_out)] if left_out else []
    if baseline is not None and reference is not None:
        notes.append(f"baseline: {escape(baseline.model)} on the same rows")
    for note in (*notes, *leaderboard_notes(ranking)):
        console.print(Text(note, style="dim"))


def leaderboard_table(
    ranking: Ranking,
    width: int,
    *,
    parameters: Sequence[str] | None = None,
    reference: float | None = None,
    timing: bool = True,
    scale: CurveScale | None = None,
) -> tuple[Group, list[str]]:
    """(the table, heads of the columns that the width has no room for).

    By default it shows the parameters that differ between all trials, and curves on a scale of all of them. `timing`
    is what a trial took and its engine, `reference` the score of a baseline.
    """
    of, longest = ranking.ranked, longest_value(width, LONGEST_VALUE)
    curves = [row.curve for row in of if row.state is not TrialState.FAIL]
    scale = scale or CurveScale(curves, ranking.objective.goal)  # of the sweep, whatever part of it is shown

    def form(curve_width: int, errors: bool, reasons: bool) -> list[Column]:
        columns = leaderboard_columns(
            ranking,
            parameters=parameters,
            errors=errors or not is_paired(of),  # where trials are compared in pairs, the errors of `behind` stay
            reasons=reasons,
            timing=timing,
            curve=lambda row: sparkline(row.curve, scale, width=curve_width),
        )
        lines = []
        for row in ranking.rows:
            own, *below = lines_of(row, columns)
            lines.append([_styled(_cut(text, one, longest), one, row) for text, one in zip(own, columns, strict=True)])
            lines += [[Text(text, style=_row_style(row)) for text in texts] for texts in below]
        if reference is not None:
            known = {"rank": "–", "number": "baseline", "value": score_text(reference)}
            lines.append([Text(known.get(column.key, ""), style="magenta") for column in columns])
        return [
            Column(_cut(escape(column.head), column, longest), cells, column.keep, _is_right(column))
            for column, cells in zip(columns, zip(*lines, strict=True), strict=True)
        ]

    forms = [(curve, errors, True) for errors in (True, False) for curve in CURVE_WIDTHS]
    forms.append((CURVE_WIDTHS[-1], False, False))
    columns, left_out = fit_columns((form(*each) for each in forms), width)
    return draw_table(columns), left_out


def _is_right(column: LeaderboardColumn) -> bool:
    """Scores and parameters stand left, although they are numbers: a tie's sign or a text may be among them."""
    return column.number and column.key != "value" and column.parameter is None


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
