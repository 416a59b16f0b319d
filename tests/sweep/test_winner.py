"""The model that stands for a training, by weights that are kept, trained again, or of all rows; and its outputs."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import Interrupted, ModelError, SweepError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.facts import Facts, Refit
from keras_sweep.record.saved import weights_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.space.sweep_spec import EarlyStopping, Finish, SearchSettings, Training
from keras_sweep.sweep import open_sweep
from keras_sweep.sweep.events import WinnerRefitted
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.winner import build_final_model, evaluate, refit_winner
from keras_sweep.training.folds import compute_validation_outputs
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.row_scores import arrays_digest
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result

DATA = digits(64, 32)
WEIGHTS = (np.full((64, 10), 0.5, np.float32), np.arange(10, dtype=np.float32))
OTHERS = tuple(array + 1 for array in WEIGHTS)
PARAMS = {"optimizer": "adam", "learning_rate": 0.001, "epochs": 9, "training.early_stopping.patience": 2}
TRIAL = result(3, 0.9, params=PARAMS, epochs=4, weights_digest=arrays_digest(WEIGHTS))
REFIT = Refit(3, None, 4, 96, {"accuracy": 0.5}, arrays_digest(WEIGHTS))
SPEC = make_spec(training=Training(early_stopping=EarlyStopping()))


class Study:
    """A record that is told of attributes."""

    def __init__(self, folder, **facts) -> None:
        self.folder = SweepFolder(folder)
        self.facts = replace(Facts("val_accuracy", Goal.MAXIMIZE, 42, "", {}), **facts)
        self.told = []

    def set_attributes(self, attributes) -> None:
        self.told.append(attributes)


class Once:
    """A runner whose one training ends as it is said, or does not end."""

    name = "fit/jax"

    def __init__(self, ended) -> None:
        self.ended = ended

    def run(self, trials, wanted, watch):
        self.trials, self.wanted, self.watch = trials, wanted, watch
        return iter(() if self.ended is None else (self.ended,))


@pytest.fixture
def opened(tmp_path):
    """Open the sweep of the trial; what is told of it."""

    def open_sweep(*, spec=SPEC, data=DATA, runner=None, workers=None, facts=None):
        told = []
        sweep = OpenSweep(SweepFolder(tmp_path), told.append, workers=workers)
        sweep.study, sweep.spec, sweep.data = Study(tmp_path, **(facts or {})), spec, data
        if runner is not None:
            sweep.runner = runner
        return sweep, told

    return open_sweep


@pytest.fixture
def trained(monkeypatch):
    """What was asked for of a training that ends so."""

    def train(ended):
        runner, asked = Once(ended), {"runner": None}

        def choose(spec, data, kind, **given):
            asked.update(spec=spec, data=data, kind=kind, runner=runner, **given)
            return runner, None

        monkeypatch.setattr(open_sweep, "choose_runner", choose)
        return asked

    return train


def keep(opened, weights=WEIGHTS, trial=TRIAL):
    folder = opened.study.folder
    folder.weights.mkdir(parents=True, exist_ok=True)
    write_arrays(weights_file(folder, trial.number), weights)


def again(value=0.9, weights=WEIGHTS, **more):
    curve = {"accuracy": (0.1, 0.4), "val_accuracy": (0.2, 0.5), "val_loss": (2.0, 1.0)}
    return result(3, value, params=PARAMS, curve=curve, weights=weights, **{"epoch": 2, **more})


def test_a_model_has_the_weights_of_its_trial_unless_it_was_refit(opened, trained):
    here, told = opened()
    keep(here)
    model, rows, refit = build_final_model(here, TRIAL)
    assert (rows, refit, told) == (DATA, None, [])
    np.testing.assert_array_equal(model.get_weights()[1], WEIGHTS[1])
    assert len(model.optimizer.variables) > 2  # it is built, or loading its file would warn
    refitted, told = opened(facts={"refit": replace(REFIT, digest=arrays_digest(OTHERS))})
    refitted.study.folder.refit.weights.mkdir(parents=True)
    write_arrays(weights_file(refitted.study.folder.refit, 3), OTHERS)
    model, rows, refit = build_final_model(refitted, TRIAL)
    assert (len(rows.train), refit, told) == (96, refitted.study.facts.refit, [])
    np.testing.assert_array_equal(model.get_weights()[1], OTHERS[1])


def test_where_no_model_stands_for_a_trial_one_is_trained_on_all_rows_and_that_is_said(opened, trained):
    for facts, data, why in (
        ({"refit": REFIT}, DATA, "its weights are missing or damaged"),
        ({}, replace(DATA, folds=(None, None)), "with folds it has several models"),
    ):
        trained(again())
        here, told = opened(data=data, facts=facts)
        model, _, refit = build_final_model(here, TRIAL)
        count = 96 if facts else 64
        assert told == [Noticed(f"trial 3 is trained on all {count} rows, since {why}")]
        assert refit == Refit(3, None, 2, count, {"accuracy": 0.5, "loss": 1.0}, arrays_digest(WEIGHTS))
        np.testing.assert_array_equal(model.get_weights()[1], WEIGHTS[1])


def test_a_training_on_all_rows_that_is_stopped_or_fails_is_said(opened, trained):
    here, _ = opened(facts={"refit": REFIT})
    asked = trained(None)
    with pytest.raises(Interrupted, match="the training of trial 3 on all rows was stopped"):
        build_final_model(here, TRIAL)
    alone = asked["spec"]  # for the epochs of its value, over the schedule of the trial, and nothing stops it
    assert alone.space.constants == {"optimizer": "adam", "learning_rate": 0.001, "epochs": 4}
    assert (alone.schedule_epochs, alone.training.early_stopping, alone.objective.take_best) == (9, None, False)
    trained(again(None, None, reason="diverged"))
    with pytest.raises(SweepError, match="the training of trial 3 on all 96 rows failed: diverged") as refused:
        build_final_model(here, TRIAL)
    assert refused.value.hint.startswith("To keep the model of the search, leave out `folds`")


def test_a_winner_is_refit_once_and_forgotten_where_that_is_asked_for_no_longer(opened, trained):
    told = []

    def running(refits, **facts):
        here, _ = opened(spec=replace(SPEC, finish=Finish(refit=refits)), facts=facts)
        here.emit = told.append
        return here

    for facts, attributes in (({}, []), ({"refit": REFIT}, [{"refit": None}])):
        without = running(False, **facts)
        refit_winner(without, TRIAL)
        assert without.study.told == attributes and told == []
    asked = trained(again())
    now = running(True)
    now.study.folder.refit.weights.mkdir(parents=True)
    write_arrays(weights_file(now.study.folder.refit, 1), OTHERS)  # of another winner
    refit_winner(now, TRIAL)
    (event,) = told
    assert (event.earlier, event.refit.rows, event.refit.epochs) == (False, 96, 2)
    assert now.study.told == [{"refit": asdict(event.refit)}]
    assert [path.name for path in now.study.folder.refit.weights.iterdir()] == ["000003.npz"]
    assert asked["checkpoints"] == now.study.folder.checkpoints
    asked.clear()
    refit_winner(running(True, refit=event.refit), TRIAL)
    assert told[1] == WinnerRefitted(event.refit, earlier=True) and not asked
    refit_winner(running(True, refit=replace(event.refit, digest="another")), TRIAL)
    assert told[2].earlier is False and asked


def test_a_function_that_gives_another_model_now_is_named():
    with pytest.raises(ModelError, match=r"now returns another model than for trial 3: ") as refused:
        compute_validation_outputs(SPEC, TRIAL.params, WEIGHTS[:1], DATA, name=TRIAL.name)
    assert refused.value.hint == "Make the model depend only on the function's arguments"


def test_outputs_are_of_the_validation_rows():
    spec = make_spec(search=SearchSettings())
    outputs = compute_validation_outputs(spec, PARAMS, WEIGHTS, DATA)
    logits = DATA.validation.x @ WEIGHTS[0] + WEIGHTS[1]
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(outputs, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)


class Sure:
    """A model that says of each row its class, which the row is."""

    trainable_variables = non_trainable_variables = ()

    def evaluate(self, x, y, **given):
        assert given["return_dict"] and given["verbose"] == 0
        self.weights = given["sample_weight"]
        right, count = x == y, np.ones(len(x)) if self.weights is None else self.weights
        loss = float((count * ~right).mean() * -np.log(1e-7))  # Keras's least probability
        return {"accuracy": np.average(right, weights=count), "loss": loss, "confusion": np.zeros((2, 2))}

    def predict(self, x, **_):
        return np.eye(10)[x]


@pytest.mark.parametrize("weights", [None, np.array([1.0, 3.0, 1.0, 1.0])])
def test_scores_are_numbers_and_each_class_that_is_there_has_its_share(weights) -> None:
    rows, model = Rows(np.array([3, 4, 5, 0]), np.array([3, 3, 5, 1]), weights), Sure()
    scores = evaluate(make_spec(), result(0), model, rows, DATA)
    assert model.weights is weights
    accuracy, loss = (0.5, 8.059) if weights is None else (1 / 3, 16.118)
    assert scores.rows == 4 and scores.scores == pytest.approx({"accuracy": accuracy, "loss": loss}, rel=1e-3)
    assert set(scores.stderrs) == {"accuracy", "loss"}
    assert scores.per_class == {"1": 0.0, "3": 0.5 if weights is None else 0.25, "5": 1.0}
    assert evaluate(make_spec(), result(0), model, rows, replace(DATA, classes=None)).per_class is None
