import json
import os
import shutil
from dataclasses import asdict, replace

import pytest

import keras_sweep as ks
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.formats import json_list
from keras_sweep.views.sweep_list import print_sweeps
from tests.helpers.records import new_folder, new_study
from tests.helpers.results import result
from tests.helpers.screen import on_terminal


def test_every_sweep_of_a_folder_is_a_row_the_newest_first(tmp_path):
    folder = new_folder(tmp_path, 64)
    for name in ("old", "broken"):
        shutil.copytree(folder.path, tmp_path / name)
    (tmp_path / "broken" / "study.db").write_bytes(b"x")
    for name, ago in (("dense", 720), ("old", 90_000), ("broken", 100_000)):
        os.utime(tmp_path / name / "study.db", (1e9 - ago, 1e9 - ago))
    rows = [sweep.status for sweep in ks.sweeps(tmp_path)]
    assert [row.name for row in rows] == ["dense", "old", "broken"]
    assert (rows[0].trials, rows[0].failed, f"{rows[0].value:.4f}") == (64, 4, "0.8570")
    lines = on_terminal(print_sweeps, rows, 1e9, width=160).splitlines()
    assert lines[2].split()[:4] == ["dense", "64", "4", "0.8570"] and "12m00s ago" in lines[2]
    assert "just now" in on_terminal(print_sweeps, rows, 1e9 - 723, width=160)
    assert lines[4].split()[:3] == ["broken", "0", "-"] and "this is not the record" in lines[4]
    shown = [replace(rows[0], trials=2, total=total) for total in (1, 2, 3)]
    assert [line.split()[1] for line in on_terminal(print_sweeps, shown, 1e9).splitlines()[2:]] == ["2", "2/2", "2/3"]
    foreign = replace(rows[0], value=0.9, imported=True)
    assert "0.9000 ±0.0032 imported" in on_terminal(print_sweeps, [foreign], 1e9)
    read = json.loads(json_list(map(asdict, rows)))
    assert list(read[0]) == [
        *("name", "trials", "total", "failed", "value", "stderr", "metric", "goal"),
        *("engine", "state", "last_activity", "imported", "waiting"),
    ]
    assert [one["name"] for one in read] == ["dense", "old", "broken"] and read[2]["value"] is None


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ({"optuna/tpe": 0.7, "import/optuna": 0.9}, 0.7),
        ({"import/optuna": 0.9, "import/keras-tuner": 0.8}, 0.9),
        ({"optuna/tpe": None, "import/optuna": 0.9}, None),
        ({}, None),
    ],
    ids=["imported trials do not win", "but where there are no others", "nor where all others failed", "none"],
)
def test_the_value_is_that_of_the_winner(tmp_path, values, best):
    states = {None: TrialState.FAIL}
    some = [
        result(number, value, state=states.get(value, TrialState.COMPLETE), engine=engine)
        for number, (engine, value) in enumerate(values.items())
    ]
    new_study(tmp_path, some).close()
    assert [sweep.status.value for sweep in ks.sweeps(tmp_path)] == [best]


def test_no_sweeps_say_how_to_start_one():
    assert "sweep run" in on_terminal(print_sweeps, [], 0.0)
