"""A sweep of several goals: what is measured, what Optuna makes of its record, and who wins."""

import json
from pathlib import Path

import pytest

import keras_sweep as ks
from tests.helpers.ran import quiet, ran_as
from tests.helpers.whole_spaces import SPACES

MEASURED = "[{name: val_accuracy}, {name: parameters}, {name: predict_seconds}, {name: train_seconds}, {name: flops}]"
TEXT = SPACES["goals"].replace("trials: 18", "trials: 6") + "finalists: none\n"
ROWS = """import keras

def build():
    layers = [keras.layers.Reshape((8, 8)), keras.layers.LSTM(4), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((64,)), *layers])
"""
GOALS = "[{name: val_accuracy}, {name: parameters}]"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> ks.Sweep:
    return ran_as(tmp_path_factory.mktemp("goals"), "goals", TEXT.replace(GOALS, MEASURED))


def test_optuna_finds_the_same_front_in_the_record(sweep: ks.Sweep) -> None:
    study = sweep.study
    assert [one.name for one in study.directions] == ["MAXIMIZE", *["MINIMIZE"] * 4]
    rows = sweep.leaderboard(where=["front=true"])
    assert {one.number for one in study.best_trials} == {row.number for row in rows}
    for row in sweep.leaderboard():
        goals = [row.metrics[name] for name in ("parameters", "predict_seconds", "train_seconds", "flops")]
        assert study.trials[row.number].values == [row.value, *goals]
        assert all(0 < value < 60 for value in goals[1:3] if value is not None)


def test_parameters_are_those_that_keras_counts_and_the_winner_has_no_more_than_it_may(sweep: ks.Sweep) -> None:
    counted = {(): 650, (4,): 310, (16,): 1210}
    assert all(row.metrics["parameters"] == counted[row.params["model.hidden"]] for row in sweep.leaderboard())
    assert counted[sweep.best.params["model.hidden"]] <= 700


def test_a_trial_trained_again_by_fit_has_as_many_parameters_and_flops(sweep: ks.Sweep) -> None:
    replayed = sweep.replay(0)
    assert replayed.matches
    for name in ("parameters", "flops"):
        assert replayed.plain.again.measured[name] == replayed.recorded.measured[name]


def test_flops_of_a_loop_are_refused_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(ROWS)
    text = "data: digits\nmodel: {python: rows:build}\nloss: sparse_categorical_crossentropy\nmetrics: [accuracy]\n"
    (tmp_path / "loop.yaml").write_text(text + f"metric: {MEASURED}\nparameters: {{learning_rate: 0.1, epochs: 1}}\n")
    with pytest.raises(ks.SweepError, match=r"XLA can.t count the `flops` .* Use the goal `parameters`"):
        ks.run(tmp_path / "loop.yaml", sweeps_dir=tmp_path / "sweeps", listener=quiet)
    assert not (tmp_path / "sweeps").exists()


def test_another_where_chooses_anew_among_the_same_trials(tmp_path: Path) -> None:
    def run(where: str) -> ks.Sweep:
        return ran_as(tmp_path, "goals", TEXT.replace("parameters <= 700", where))

    small = run("parameters <= 700")
    values, hidden = [one.value for one in small.trials], small.best.params["model.hidden"]
    large = run("parameters > 1000")
    assert [one.value for one in large.trials] == values
    assert (hidden, large.best.params["model.hidden"]) == ((), (16,))
    assert json.loads((large.path / "card.json").read_text())["goals"] == {"parameters": 1210}
    with pytest.raises(ks.SweepError, match=r"no trial of the sweep 'goals' meets `parameters < 9`"):
        run("parameters < 9")
    with pytest.raises(ks.SweepError, match=r"no trial of the sweep 'goals' meets `parameters < 9`"):
        ks.open("goals", sweeps_dir=tmp_path / "sweeps").load_model()


@pytest.mark.parametrize("split", ["", pytest.param("split: {folds: 2}\n", marks=pytest.mark.soak)])
def test_plain_fit_measures_a_model_too_with_folds_the_first(tmp_path: Path, split: str) -> None:
    text = TEXT.replace(GOALS, "[{name: val_accuracy}, {name: predict_seconds}, {name: parameters}, {name: val_loss}]")
    (tmp_path / "by_fit.yaml").write_text(text.replace("trials: 6", "trials: 2") + split)
    sweep = ks.run(tmp_path / "by_fit.yaml", sweeps_dir=tmp_path / "sweeps", listener=quiet, runner="fit")
    for row in sweep.leaderboard():
        assert row.metrics["parameters"] in (310, 650, 1210)
        assert (row.metrics["predict_seconds"] or 0.0) > 0
