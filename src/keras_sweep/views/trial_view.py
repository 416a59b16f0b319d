"""Show a trial for `sweep show`: everything that the record knows about the trial."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escape
from keras_sweep.trial.ranking import ADDED, seed_scores
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.rows import LeaderboardRow, cell, rows_of, seeds_record
from keras_sweep.views.leaderboard.table import STATE_STYLES, refit_line
from keras_sweep.views.leaderboard.texts import difference_text, goals_text, is_ahead, seeds_texts
from keras_sweep.views.running.json_lines import result_record
from keras_sweep.views.summary import time_lines, time_parts
from keras_sweep.views.terminal.table import Column, print_table
from keras_sweep.views.terminal.text import TIE, TRACK, plot, score_text, value_text

PLOT_WIDTH = 60  # columns at most
PLOT_HEIGHT = 7
EPOCH = " epoch"  # at the end of the axis
MOST_EPOCHS = 30  # lines of the curve's table on a terminal


def trial_json(sweep: RecordedSweep, result: Result) -> str:
    """Return JSON: the fields of `trial_ended` (`sweep run --json`), rank, tie, distance to winner, traceback."""
    row = next(row for row in rows_of(sweep) if row.number == result.number)
    record: dict[str, Any] = {key: cell(row, key) for key in ("rank", "tie", "behind", "behind_stderr", "seed")}
    record |= {**seeds_record(row.seeds), **result_record(result)}
    if result.finalists:
        record["finalists"] = [{"seed": trial.finalist_seed, **result_record(trial)} for trial in result.finalists]
    return strict_json({**record, "traceback": result.traceback}) + "\n"


def print_trial(console: Console, sweep: RecordedSweep, result: Result) -> None:
    console.print(*_facts(sweep, result), sep="\n")

    def section(title: str, *lines: Text) -> None:
        console.print(f"\n{title}", style="bold")
        console.print(*lines, sep="\n")

    if result.params:
        width = max(len(escape(name)) for name in result.params)
        exact = {name: repr(v) if isinstance(v, float) else value_text(v) for name, v in result.params.items()}
        section("parameters", *(Text(f"  {escape(name):{width}}  {text}") for name, text in exact.items()))
    if result.epochs:
        console.print("\ncurve", style="bold")
        print_table(console, curve_columns(result, sweep.objective), most=MOST_EPOCHS)
        for line in plot_lines(result, sweep.objective, console.width):
            console.print(line)
    if result.finalists:
        section("seeds", *_seed_lines(result, sweep.facts.seed))
    if lines := time_lines(time_parts(asdict(result.seconds))):
        console.print()
        console.print(*lines, sep="\n")
    if result.traceback:
        section("traceback", *(Text(f"  {escape(line)}", "red") for line in result.traceback.rstrip().splitlines()))


def _facts(sweep: RecordedSweep, result: Result) -> Iterator[Text]:
    objective, rows = sweep.objective, rows_of(sweep)
    row = next(row for row in rows if row.number == result.number)
    reason = f": {escape(result.reason)}" if result.reason else ""
    state = (result.state.value + reason, STATE_STYLES[result.state])
    yield Text.assemble((f"trial {result.number}", "bold"), "  ", state)
    if row.value is not None:
        score = Text.assemble(f"{escape(objective.name)} ", (score_text(row.value, row.stderr), "bold green"))
        score.append(goals_text(row, objective))
        score.append(f"  rank {row.rank} of {len(rows):,}")
        score.append(", the winner" if row.winner else ", imported" if row.imported else "")
        if result.epoch is not None and result.epoch < result.epochs:
            score.append(f", scored at epoch {result.epoch}")
        if row.tie and not row.winner:
            score.append(f"  {TIE} may be the best of all", style="cyan")
        yield score
        if row.tie or row.final:
            yield Text(
                f"trained again with {row.again}" if row.final else f"not trained again with new seeds: {row.again}"
            )
        if row.behind is not None and row.behind_stderr is not None:
            distance = difference_text(abs(row.behind), objective, row.behind_stderr, unit=True)
            text = f"worse than the winner by {distance} on the same rows"
            if is_ahead(row):
                text = f"with the search's seed, better than the winner by {distance}; the winner is best by its mean"
            yield Text(text)
    if sweep.refit is not None and sweep.refit.trial == result.number:
        yield refit_line(sweep.refit)
    yield Text(_origin_text(result, row), style="dim")


def _seed_lines(result: Result, seed: int) -> Iterator[Text]:
    search_seed = result.params.get("seed", seed)
    for number, trial in ((search_seed, result), *((trial.finalist_seed, trial) for trial in result.finalists)):
        score = score_text(trial.value, trial.stderr) if trial.value is not None else escape(trial.reason or "")
        yield Text(f"  {number}  {score}")
    if (scores := seed_scores(result)) is not None:
        yield Text(f"  mean  {seeds_texts(scores)[1]}", style="bold green" if result.final else "")


def _origin_text(result: Result, row: LeaderboardRow) -> str:
    texts = []
    if row.imported:
        texts.append(f"trained elsewhere: {escape(result.engine)}")
    elif result.engine == ADDED:
        texts.append(f"added by hand, as generation {result.suggestion.generation}")
    elif result.engine:
        texts.append(f"suggested by {escape(result.engine)} in generation {result.suggestion.generation}")
    if result.suggestion.continues is not None:
        texts.append(f"continues trial {result.suggestion.continues}")
    if result.runner and not row.imported:
        texts.append(f"trained by {escape(result.runner)}")
    if row.seed is not None:
        texts.append(f"seed {row.seed}")
    return ", ".join(texts)


def curve_columns(result: Result, objective: Objective) -> list[Column]:
    names = sorted(result.curve, key=lambda name: (name != objective.name, not name.startswith("val_"), name))
    epochs = range(1, result.epochs + 1)

    def column(header: str, texts: Iterable[str], keep: int = 0) -> Column:
        rows = zip(epochs, texts, strict=True)
        cells = [Text(text, "bold green" if epoch == result.epoch else "") for epoch, text in rows]
        return Column(header, cells, keep, right=True)

    columns = [column("epoch", map(str, epochs))]
    for keep, name in enumerate(names):
        points = dict(enumerate(result.curve[name], start=1))
        values = (points.get(epoch) for epoch in epochs)
        texts = ("" if value is None else score_text(value) if math.isfinite(value) else str(value) for value in values)
        columns.append(column(name, texts, keep))
    return columns


def plot_lines(result: Result, objective: Objective, width: int) -> Iterator[Text]:
    """Plot the objective over the epochs, with axes. Yield nothing for fewer than three finite values."""
    values = result.curve.get(objective.name, ())
    finite = [*filter(math.isfinite, values)]
    if len(finite) < 3:
        return
    high, low = max(finite), min(finite)
    labels = {0: score_text(high), PLOT_HEIGHT // 2: score_text((high + low) / 2), PLOT_HEIGHT - 1: score_text(low)}
    margin = max(map(len, labels.values()))
    room = min(PLOT_WIDTH, max(width - margin - len(EPOCH) - 2, 8))
    # A short curve is stretched: each value is drawn up to four times.
    repeats = max(min(room // len(values), 4), 1)
    columns = min(repeats * len(values), room)
    yield Text(f"\n{'':{margin}}  {escape(objective.name)} after each epoch", style="dim")
    points = [value for value in values for _ in range(repeats)]
    for index, line in enumerate(plot(points, width=columns, height=PLOT_HEIGHT)):
        yield Text.assemble((f"{labels.get(index, ''):>{margin}}  ", "dim"), (line, "cyan"))
    yield Text(f"{'':{margin}}  {TRACK * columns}", style="dim")
    yield Text(f"{'':{margin}}  1{len(values):>{columns - 1}}{EPOCH}", style="dim")
