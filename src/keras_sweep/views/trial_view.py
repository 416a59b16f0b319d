"""`sweep show NAME TRIAL`: all that is known of one trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escaped
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.events import Refit
from keras_sweep.trial.finalists import seed_scores
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.columns import behind_text, is_ahead, seeds_texts
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.query import seeds_record
from keras_sweep.views.leaderboard.rows import LeaderboardRow, leaderboard_rows
from keras_sweep.views.leaderboard.table import STATE_STYLES, refit_line
from keras_sweep.views.running.json_lines import result_record
from keras_sweep.views.summary import time_lines, time_parts
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.drawing import MARK, Drawing, drawing_for, plot
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import score_text, seconds_text, value_text

PLOT_WIDTH = 60  # columns at most
PLOT_HEIGHT = 7
EPOCH = " epoch"  # ends the axis
SHOWN_EPOCHS = 30  # rows of the curve's table on a terminal; the middle of a longer one is left out


def trial_json(
    result: Result,
    results: Sequence[Result],
    objective: Objective,
    comparison: Comparison | None = None,
    *,
    seed: int | None = None,
) -> str:
    """One object: what `sweep run --json` says of the trial, with its rank, tie, seed and traceback."""
    rows = leaderboard_rows(results, objective, comparison, seed=seed)
    row = next(row for row in rows if row.number == result.number)
    record: dict[str, Any] = {
        "rank": row.rank,
        "tie": row.tie,
        "behind": row.behind,
        "behind_stderr": row.behind_stderr,
    }
    record |= {"seed": row.seed, **seeds_record(row.seeds), **result_record(result)}
    if result.finalists:
        record["finalists"] = [{"seed": one.finalist_seed, **result_record(one)} for one in result.finalists]
    return strict_json({**record, "traceback": result.traceback}) + "\n"


@dataclass(frozen=True, slots=True)
class TrialView:
    """A rich renderable of one trial, section by section; `results` are those of the whole sweep, for its rank."""

    result: Result
    results: Sequence[Result]
    objective: Objective
    comparison: Comparison | None = None
    refit: Refit | None = None  # how its model was trained once more, on all rows
    seed: int | None = None  # that trials without a parameter of this name were trained with

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result, drawing = self.result, drawing_for(options.encoding)
        yield from _facts(result, self, drawing)
        if result.params:
            yield Text("\nparameters", style="bold")
        width = max((len(escaped(name)) for name in result.params), default=0)
        for name, value in result.params.items():
            exact = repr(value) if isinstance(value, float) else value_text(value)
            yield Text(f"  {escaped(name):{width}}  {exact}")
        if result.epochs:
            yield Text("\ncurve", style="bold")
            yield CurveTable(result, self.objective)
            yield from plot_lines(result, self.objective, drawing, options.max_width)
        if result.finalists:
            yield Text("\nseeds", style="bold")
            yield from _seed_lines(result, self.seed, drawing)
        seconds = result.seconds
        parts = {"sampler": seconds.sampler, "compile": seconds.compile}
        parts |= {"train": seconds.train, "validate": seconds.validate}
        shown, total = time_parts(parts)
        if total:
            yield Text.assemble(("\ntime ", "bold"), seconds_text(total))
            yield from time_lines(shown, drawing)
        if result.traceback:
            yield Text("\ntraceback", style="bold")
            for line in result.traceback.rstrip().splitlines():
                yield Text(f"  {escaped(line)}", style="red")


def _facts(result: Result, view: TrialView, drawing: Drawing) -> list[Text]:
    objective = view.objective
    rows = leaderboard_rows(view.results, objective, view.comparison, seed=view.seed)
    row = next((row for row in rows if row.number == result.number), None)
    title = Text.assemble((f"trial {result.number}", "bold"), "  ", (result.state.value, STATE_STYLES[result.state]))
    if result.reason:
        title.append(f": {escaped(result.reason)}", style=STATE_STYLES[result.state])
    facts = [title]
    if row is not None and row.value is not None:
        score = Text.assemble(
            f"{escaped(objective.name)} ", (score_text(row.value, row.stderr, pm=drawing.pm), "bold green")
        )
        score.append(f"  rank {row.rank} of {len(rows):,}")
        if row.winner:
            score.append(", the winner")
        elif row.imported:
            score.append(", imported")
        if result.epoch is not None and result.epoch < result.epochs:
            score.append(f", scored at epoch {result.epoch}")
        if row.tie and not row.winner:
            score.append(f"  {drawing.tie} a tie with the best", style="cyan")
        facts.append(score)
        if row.behind_stderr is not None:
            facts.append(Text(_distance(row, objective, drawing)))
    if view.refit is not None:
        facts.append(refit_line(view.refit))
    facts.append(Text(_origin(result, row), style="dim"))
    return facts


def _distance(row: LeaderboardRow, objective: Objective, drawing: Drawing) -> str:
    unit = " points" if objective.is_share else ""
    if not is_ahead(row):
        return f"behind the best by {behind_text(row, objective, pm=drawing.pm)}{unit}, row by row"
    text = behind_text(replace(row, behind=-(row.behind or 0.0)), objective, pm=drawing.pm)
    return f"with the seed of the search ahead of the best one by {text}{unit}, row by row"


def _seed_lines(result: Result, seed: int | None, drawing: Drawing) -> list[Text]:
    """A line a training of the recipe, and one for their mean."""
    own = result.params.get("seed", seed)
    lines = []
    for number, one in ((own, result), *((one.finalist_seed, one) for one in result.finalists)):
        score = score_text(one.value, one.stderr, pm=drawing.pm) if one.value is not None else escaped(one.reason or "")
        lines.append(Text(f"  {number}  {score}"))
    if (scores := seed_scores(result)) is not None:
        _, mean = seeds_texts(scores, pm=drawing.pm)
        lines.append(Text(f"  mean  {mean}", style="bold green" if result.final else ""))
    return lines


def _origin(result: Result, row: LeaderboardRow | None) -> str:
    """Who asked for the trial and who trained it."""
    if row is not None and row.imported:
        where = [f"trained by another program, read by {escaped(result.engine)}"]
    else:
        asked = f"asked by {escaped(result.engine)} in generation {result.suggestion.generation + 1}"
        where = [asked] if result.engine else []
    if result.suggestion.continues is not None:
        where.append(f"continues trial {result.suggestion.continues}")
    if result.runner and not (row is not None and row.imported):
        where.append(f"trained by {escaped(result.runner)}")
    if row is not None and row.seed is not None:
        where.append(f"seed {row.seed}")
    return ", ".join(where)


@dataclass(frozen=True, slots=True)
class CurveTable:
    """Every logged metric after each epoch; the scored epoch is marked."""

    result: Result
    objective: Objective

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        curve = self.result.curve
        names = sorted(curve, key=lambda name: (name != self.objective.name, not name.startswith("val_"), name))
        epochs, left_out = shown_epochs(self.result.epochs, longest_value(options.max_width, SHOWN_EPOCHS))
        scored = self.result.epoch
        columns = [Column("epoch", tuple(Text(str(e), style=_epoch_style(e, scored)) for e in epochs), right=True)]
        for index, name in enumerate(names):
            values = curve[name]
            cells = (
                Text(_point(values[e - 1]) if e <= len(values) else "", style=_epoch_style(e, scored)) for e in epochs
            )
            columns.append(Column(escaped(name), tuple(cells), keep=index, right=True))
        fitting, _ = fitted([lambda: columns], options.max_width)
        yield drawn(fitting, options)
        if left_out:
            yield left_out_line(left_out)


def shown_epochs(count: int, most: int) -> tuple[list[int], int]:
    """(the epochs that a table shows, counted from 1; how many in the middle it leaves out)."""
    epochs = list(range(1, count + 1))
    if count <= most:
        return epochs, 0
    return epochs[: most // 2] + epochs[-(most // 2) :], count - most


def left_out_line(count: int) -> Text:
    """That so many epochs are not shown."""
    return Text(f"{count:,} epochs in the middle are left out", style="dim")


def plot_lines(result: Result, objective: Objective, drawing: Drawing, width: int) -> list[Text]:
    """The objective over the epochs, its values at the left and the epochs below; on training rows, marks."""
    name = objective.name
    values, training = result.curve.get(name, ()), result.curve.get(name.removeprefix("val_"), ())
    if len([value for value in values if math.isfinite(value)]) < 3:
        return []
    training = training[: len(values)] if name.startswith("val_") else ()
    finite = [value for value in (*values, *training) if math.isfinite(value)]
    high, low = max(finite), min(finite)
    labels = {0: score_text(high), PLOT_HEIGHT // 2: score_text((high + low) / 2), PLOT_HEIGHT - 1: score_text(low)}
    margin = max(map(len, labels.values()))
    room = min(PLOT_WIDTH, max(width - margin - len(EPOCH) - 2, 8))
    points, also = (stretched(curve, room) if curve else [] for curve in (values, training))
    columns = min(len(points), room)
    title = f"{escaped(name)} after each epoch" + (f"; {MARK} on training rows" if training else "")
    text = [Text(f"\n{'':{margin}}  {title}", style="dim")]
    for index, line in enumerate(plot(points, drawing, width=columns, height=PLOT_HEIGHT, also=also)):
        text.append(Text.assemble((f"{labels.get(index, ''):>{margin}}  ", "dim"), (line, "cyan")))
    text.append(Text(f"{'':{margin}}  {drawing.rule * columns}", style="dim"))
    first, middle, last = "1", str((len(values) + 1) // 2), str(len(values))
    gap = columns - len(last)
    below = f"{first:<{gap // 2}}{middle}" if gap // 2 > len(first) else first
    text.append(Text(f"{'':{margin}}  {below:<{gap}}{last}{EPOCH}", style="dim"))
    return text


def stretched(values: Sequence[float], width: int) -> list[float]:
    """Each value as many times as fit side by side, so that a short curve is seen."""
    times = max(min(width // len(values), 4), 1)
    return [value for value in values for _ in range(times)][: max(width, len(values))]


def _point(value: float) -> str:
    return score_text(value) if math.isfinite(value) else str(value)


def _epoch_style(epoch: int, scored: int | None) -> str:
    return "bold green" if epoch == scored else ""
