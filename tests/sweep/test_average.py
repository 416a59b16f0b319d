"""The mean of the winner's weights, over its seeds or its last epochs: made, scored, shown, exported, kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.catalog import load_search_data
from keras_sweep.files.arrays import read_arrays
from keras_sweep.record import reader
from keras_sweep.record.weights import weights_file_of
from keras_sweep.sweep.comparison import comparison_of
from keras_sweep.sweep.probe import probed
from keras_sweep.training.build_trial import compiled_model
from keras_sweep.trial import events as happened
from keras_sweep.trial.finalists import seed_scores
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.ranking import average_wins, best_training, winner
from tests.helpers.command import called
from tests.helpers.ran import Ran
from tests.helpers.whole_spaces import SPACES
from tests.helpers.whole_sweeps import outcome

ASKED = "finish: {average: true}\n"
SEEDS = SPACES["averaged"]  # no hidden layer
EPOCHS = SEEDS.replace("units: 10, activation: softmax", "hidden: [8]").replace("{min: 2, max: 3}", "{min: 4, max: 6}")
OWN_MODEL = SEEDS.replace("dense: {units: 10, activation: softmax}", "{python: own:build}")
STATISTICS = """
import keras

def build():
    layers = [keras.layers.BatchNormalization(), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((64,)), *layers])
"""


def run(folder: Path, text: str) -> Ran:
    folder.mkdir(exist_ok=True)
    ran = Ran(folder, text=text, trials=None)
    ran()
    return ran


def best_of(ran: Ran):
    return winner(reader.read_results(ran.sweep), ran.spec.objective)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("seeds"), SEEDS)


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("epochs"), EPOCHS)


@pytest.mark.parametrize(
    ("text", "epochs"),
    [(SEEDS, 0.0), (EPOCHS, 5.0), (SEEDS.replace(ASKED, ""), None)],
    ids=["of seeds", "of epochs", "none"],
)
def test_the_check_knows_what_it_will_cost(tmp_path: Path, text: str, epochs: float | None) -> None:
    _, found = probed(Ran(tmp_path, text=text, trials=None).spec, lambda event: None)
    assert found is not None
    assert found.average_epochs == (epochs if not epochs else pytest.approx(epochs, abs=1))


def test_without_hidden_layers_it_is_the_mean_over_the_seeds(seeds: Ran) -> None:
    best = best_of(seeds)
    members = [read_arrays(weights_file_of(seeds.sweep, one)) for one in (best, *best.finalists)]
    assert (best.average.suggestion.average, len(members)) == ("3 seeds", 3)
    for mean, *each in zip(read_arrays(weights_file_of(seeds.sweep, best.average)), *members, strict=True):
        np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-6)


def test_with_hidden_layers_it_is_the_mean_of_the_last_epochs_of_the_first_new_seed(epochs: Ran) -> None:
    import keras

    best, data = best_of(epochs), load_search_data(epochs.spec)
    plan = training_plan(epochs.spec, best.finalists[0].params)
    count = plan.epochs // 2
    assert (count >= 2, best.average.suggestion.average) == (True, f"{count} epochs with seed 43")
    model, after = compiled_model(epochs.spec, plan, data), []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: after.append(model.get_weights()))
    rows, size = data.train, plan.batch_size
    model.fit(rows.x, rows.y, epochs=plan.epochs, batch_size=size, verbose=0, callbacks=[keep])
    for mean, *each in zip(read_arrays(weights_file_of(epochs.sweep, best.average)), *after[-count:], strict=True):
        np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-5)


@pytest.mark.parametrize("which", ["seeds", "epochs"])
def test_the_exported_model_is_the_average_where_it_is_better_than_the_seeds_are_in_the_mean(
    which: str, request: pytest.FixtureRequest
) -> None:
    ran = request.getfixturevalue(which)
    best, card = best_of(ran), json.loads(ran.sweep.card.read_text())
    wins = best.average.value > seed_scores(best).mean
    assert average_wins(best, ran.spec.objective) is wins
    assert card.get("average", "") == (best.average.suggestion.average if wins else "")
    training = best_training(best, ran.spec.objective)
    assert card["validation"]["value"] == training.value
    sweep = ks.open("plain", sweeps_dir=ran.sweep.path.parent)
    rows = sweep.validation()
    value = sweep.load_model().evaluate(rows.x, rows.y, verbose=0, return_dict=True)["accuracy"]
    assert value == pytest.approx(training.value, abs=1e-6)
    assert (sweep.best.value, sweep.best.average.value) == (training.value, best.average.value)
    (test,) = ran.of(happened.TestEvaluated)
    assert test.average == training.suggestion.average
    assert ks.verify(ran.sweep.best).matches


def test_the_estimate_has_it_as_one_more_candidate(seeds: Ran, tmp_path: Path) -> None:
    without = run(tmp_path, SEEDS.replace(ASKED, ""))
    found, bare = (
        comparison_of(one.sweep, reader.read_attributes(one.sweep), reader.read_results(one.sweep))
        for one in (seeds, without)
    )
    assert "over 4 of the models" in found.estimate.method
    assert "over 3 of the models" in bare.estimate.method
    best = best_of(seeds)
    wins = average_wins(best, seeds.spec.objective)
    assert found.estimate.naive == pytest.approx(best.average.value if wins else seed_scores(best).mean)
    assert {number: one.behind for number, one in found.behind.items()} == {
        number: one.behind for number, one in bare.behind.items()
    }


def test_it_stands_below_its_recipe_and_one_line_says_what_it_is(seeds: Ran) -> None:
    code, shown, _ = called(["leaderboard", "plain"], seeds.sweep.path.parent)
    assert code == 0
    assert [line.split()[0] for line in shown.splitlines()[3:5]] == ["×3", "averaged"]
    assert "averaged: mean of the weights of 3 seeds; better, so exported" in shown
    (row, *_) = json.loads(called(["leaderboard", "plain", "--format", "json"], seeds.sweep.path.parent)[1])
    assert row["average"] == best_of(seeds).average.value


def test_the_same_call_again_has_nothing_to_do(seeds: Ran) -> None:
    before = seeds.sweep.study.read_bytes()
    again = run(seeds.sweep.path.parents[1], SEEDS)
    assert any("nothing is left to do" in notice for notice in again.notices)
    assert seeds.sweep.study.read_bytes() == before


def test_asked_for_later_it_is_added_and_no_longer_asked_for_it_goes(seeds: Ran, tmp_path: Path) -> None:
    bare = run(tmp_path, SEEDS.replace(ASKED, ""))
    expected = outcome(bare.sweep)
    run(tmp_path, SEEDS)
    assert outcome(bare.sweep) == outcome(seeds.sweep)
    run(tmp_path, SEEDS.replace(ASKED, ""))
    assert best_of(bare).average is None
    assert {**outcome(bare.sweep), "files": None, "test": None} == {**expected, "files": None, "test": None}


@pytest.mark.parametrize("which", ["seeds", "epochs"])
def test_what_is_lost_or_damaged_of_it_comes_back_to_the_bit(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    whole = request.getfixturevalue(which)
    ran = run(tmp_path, whole.spec.text)
    average = best_of(ran).average
    weights_file_of(ran.sweep, average).write_bytes(b"PK")
    ran.sweep.best.unlink()
    code, _, said = called(["export", "plain", "-o", str(tmp_path / "best.keras")], ran.sweep.path.parent)
    assert code == 0, said
    (ran.sweep.average.scores / f"{average.number:06d}.npz").unlink()
    run(tmp_path, whole.spec.text)
    assert outcome(ran.sweep) == outcome(whole.sweep)


def test_a_model_that_keeps_statistics_of_rows_has_none_and_the_reason_is_said(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(STATISTICS)
    ran = run(tmp_path, OWN_MODEL)
    assert best_of(ran).average is None
    assert any("moving_mean` is no trained weight and differs, as statistics" in one for one in ran.notices)
    again = run(tmp_path, OWN_MODEL)
    assert any("nothing is left to do" in notice for notice in again.notices)


def test_a_search_without_other_seeds_has_none_of_them(tmp_path: Path) -> None:
    ran = run(tmp_path, SEEDS.replace("finalists: {top: 3, seeds: 2}", "finalists: none"))
    assert best_of(ran).average is None
    assert any("it is taken over seeds, and there is one" in one for one in ran.notices)


def test_it_is_not_replayed_since_it_was_not_trained(seeds: Ran) -> None:
    assert average_wins(best_of(seeds), seeds.spec.objective)
    code, _, said = called(["replay", "plain"], seeds.sweep.path.parent)
    assert code == 2
    assert "its weights are the mean of several" in said
