import json
from dataclasses import replace

import pytest

from keras_sweep.trial.ranking import winner
from keras_sweep.trial.result import TrialState
from keras_sweep.views.sweep_list import SweepRow, SweepTable, sweep_list_json
from tests.helpers.results import ACCURACY, LOSS, dense_sweep, result
from tests.helpers.screen import on_pipe, on_terminal

NOW = 1_000_000.0


def row(name="dense", results=(), objective=ACCURACY, state="done", ago=0.0, engine="optuna/tpe"):
    best = winner(results, objective)
    return SweepRow(
        name=name,
        trials=len(results),
        total=64,
        failed=sum(one.state is TrialState.FAIL for one in results),
        value=best.value if best else None,
        stderr=best.stderr if best else None,
        metric=objective.name,
        goal=objective.goal.value,
        engine=engine,
        state=state,
        last_activity=NOW - ago,
    )


def test_a_row_has_the_best_complete_trial():
    one = row(results=[result(0, 0.8), result(1, 0.9, state=TrialState.PRUNED), result(2, 0.85, stderr=0.01)])
    assert (one.value, one.stderr, one.trials, one.failed) == (0.85, 0.01, 3, 0)
    assert row(results=[result(0, 0.8), result(1, 0.7)], objective=LOSS).value == 0.7
    assert row().value is None


def test_the_best_is_the_winner_and_an_imported_value_says_so():
    theirs, ours = result(0, 0.9, engine="import/optuna"), result(1, 0.8)
    assert row(results=[theirs, ours]).value == 0.8
    foreign = replace(row("old"), value=0.9, imported=True)
    assert "0.9000 imported" in on_terminal(SweepTable([foreign], NOW), 100)


def test_the_newest_sweep_comes_first():
    text = on_terminal(SweepTable([row("new", dense_sweep(), ago=720), row("old", ago=90_000)], NOW))
    lines = text.splitlines()
    assert lines[2].split()[:4] == ["new", "64/64", "4", "0.8570"] and "12 min ago" in lines[2]
    assert lines[3].split()[:3] == ["old", "0/64", "-"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    rows = [row("a-very-long-name-" * 4, dense_sweep()), row("b", state="running")]
    assert all(len(line) <= max(width, 42) for line in on_terminal(SweepTable(rows, NOW), width).splitlines())


def test_no_sweeps_say_how_to_start_one():
    assert "sweep run" in on_terminal(SweepTable([]))


def test_odd_names_and_states_are_harmless():
    rows = [row("[red]\x1b[31m", state="the record is damaged: [b]\x07", engine="\x1b]0;x")]
    text = on_pipe(lambda console: console.print(SweepTable(rows, NOW)))
    assert "[red]\\x1b[31m" in text and "\x1b" not in text and "\x07" not in text


def test_json_is_strict_and_newest_first():
    read = json.loads(sweep_list_json([row("new", dense_sweep()), row("old", ago=9)]))
    assert [one["name"] for one in read] == ["new", "old"]
    assert list(read[0]) == [
        *("name", "trials", "total", "failed", "value", "stderr", "metric", "goal"),
        *("engine", "state", "last_activity", "imported", "waiting"),
    ]
    assert read[1]["value"] is None and json.loads(sweep_list_json([])) == []
