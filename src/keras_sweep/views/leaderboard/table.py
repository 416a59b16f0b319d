"""Draw the leaderboard for a terminal or a pipe."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console, Group
from rich.text import Text

from keras_sweep.record.facts import Baseline, Refit
from keras_sweep.space.text import escape, pluralize
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

LONGEST_STATE = 60  # cells, also in a pipe; `sweep show` prints the whole reason of a failure
STATE_STYLES = {TrialState.COMPLETE: "", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}
CURVE_WIDTHS = (20, 12, 8)  # tried in this order
LONGEST_VALUE = 24  # cells of a value on a terminal; a pipe shows the whole value
MOST_SHOWN = 1000  # trials of a leaderboard on a terminal, unless the user asks for more
NEVER_CUT = {"value", "behind"}


def print_leaderboard(
    console: Console, ranking: Ranking, baseline: Baseline | None = None, *, most: int | None = None
) -> None:
    """Print the table, with at most `most` rows, and its notes. If `baseline` has a score of the same metric, the last
    row shows that score."""
    if not ranking.rows:
        console.print(Text("no trials", style="dim"))
        return
    reference = baseline.validation.get(ranking.objective.name) if baseline is not None else None
    shown = replace(ranking, rows=ranking.rows[:most])
    table, left_out = leaderboard_table(shown, console.width, reference=reference)
    console.print(table)
    notes = ["columns that do not fit here: " + ", ".join(left_out)] if left_out else []
    if hidden := len(ranking.rows) - len(shown.rows):
        notes.append(f"and {pluralize(hidden, 'more trial')}: `--top {len(ranking.rows)}` shows all")
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
    """Return the table for a console of `width` characters, and the headers of the columns that do not fit.

    `parameters`: the parameters with a column (default: those that differ between trials). `reference`: the baseline's
    score. `timing`: show seconds and engine. `scale`: the height of a value in the curves (default: covers all curves).
    """
    all_rows, longest = ranking.ranked, longest_value(width, LONGEST_VALUE)
    curves = [row.curve for row in all_rows if row.state is not TrialState.FAIL]
    # The scale covers the whole sweep, so curves look the same whatever rows are shown.
    scale = scale or CurveScale(curves, ranking.objective.goal)

    def form(curve_width: int, errors: bool, reasons: bool) -> list[Column]:
        columns = leaderboard_columns(
            ranking,
            parameters=parameters,
            errors=errors or not is_paired(all_rows),  # with pairs the errors of `behind` are enough
            reasons=reasons,
            timing=timing,
            curve=lambda row: sparkline(row.curve, scale, width=curve_width),
        )
        lines = []
        for row in ranking.rows:
            line, *below = lines_of(row, columns)
            lines.append([_style(_cut(text, col, longest), col, row) for text, col in zip(line, columns, strict=True)])
            lines += [[Text(text, style=_row_style(row)) for text in line] for line in below]
        if reference is not None:
            baseline_texts = {"rank": "–", "number": "baseline", "value": score_text(reference)}
            lines.append([Text(baseline_texts.get(column.key, ""), style="magenta") for column in columns])
        # A sign may follow a score, and a parameter may be a text: both are left-aligned.
        right = [column.number and column.key != "value" and column.parameter is None for column in columns]
        return [
            Column(_cut(escape(column.head), column, longest), cells, column.keep, is_right)
            for column, cells, is_right in zip(columns, zip(*lines, strict=True), right, strict=True)
        ]

    forms = [(curve, errors, True) for errors in (True, False) for curve in CURVE_WIDTHS]
    forms.append((CURVE_WIDTHS[-1], False, False))
    columns, left_out = fit_columns((form(*form_args) for form_args in forms), width)
    return draw_table(columns), left_out


def _cut(text: str, column: LeaderboardColumn, longest: int) -> str:
    if column.key in NEVER_CUT:
        return text
    return shorten(text, min(longest, LONGEST_STATE) if column.key == "state" else longest)


def _style(text: str, column: LeaderboardColumn, row: LeaderboardRow) -> Text:
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
    """Describe the winner's refit: `refit trial 36 with seed 43: trained again on all 60,000 rows for 17 epochs`."""
    seed = "" if refit.seed is None else f" with seed {refit.seed}"
    return Text.assemble(("refit ", "bold"), f"trial {refit.trial}{seed}: {refit.text}")
