"""Draws the README's pictures from a finished sweep: `python reports/draw.py [NAME]` writes reports/NAME/*.svg."""

from __future__ import annotations

import sys
from pathlib import Path

from keras_sweep.record.reader import objective_of, read_attributes, read_results
from keras_sweep.record.sweep_folder import find, sweeps_dir
from keras_sweep.sweep.finish_winner import recorded_errors
from keras_sweep.trial.events import SweepEnded, SweepStarted, TestEvaluated
from keras_sweep.views.running.live import board
from keras_sweep.views.summary import print_summary, summary
from keras_sweep.views.terminal.terminal_svg import record_svg, tally_at


def draw(name: str) -> None:
    """The summary as it was printed, and the board as it was two thirds through."""
    folder = find(name, sweeps_dir())
    attributes = read_attributes(folder)
    results = read_results(folder)
    objective = objective_of(attributes)
    total = attributes["trials"]
    seconds = attributes["seconds"]
    place = Path(__file__).parent / name
    place.mkdir(exist_ok=True)
    test = attributes["test"]
    errors = recorded_errors(test, objective.name)
    looked = TestEvaluated(test["number"], test["scores"], errors, attributes["test_looks"], test["per_class"])
    ended = SweepEnded(name, "done", tuple(results), seconds, f"sweeps/{name}/best.keras")
    shown = summary(ended, objective, test=looked)
    title = f"sweep run search_spaces/{name}.yaml"
    record_svg(lambda console: print_summary(console, shown), place / "summary.svg", title=title, width=100)
    started = SweepStarted(
        name=name,
        folder=f"sweeps/{name}",
        engine=results[0].engine,
        runner=results[0].runner,
        total=total,
        finished=(),
        metric=objective.name,
        goal=objective.goal.value,
        space_size=float("inf"),
        take_best=objective.take_best,
    )
    done = 2 * total // 3
    tally = tally_at(started, results, done=done, elapsed=sum(seconds.values()) * done / total)
    record_svg(lambda console: console.print(board(tally, console)), place / "board.svg", title=title, width=100)


draw(sys.argv[1] if len(sys.argv) > 1 else "dense")
