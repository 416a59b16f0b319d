"""Learning rates that go from step to step: lanes and `fit` have the numbers of a script with Keras's own schedules."""

import math

import keras
import numpy as np
import pytest
from keras.optimizers import schedules

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import EarlyStopping, ModelSpec, Training
from keras_sweep.training.build_trial import keras_schedule
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.result import TrialState
from tests.helpers.factory import EPOCHS, LEARNING_RATE, digits, make_spec
from tests.helpers.lane_trials import (
    FOLDER,
    Watching,
    assert_as_fit,
    assert_same_bits,
    fitted,
    go_on,
    lanes,
    signatures,
    stopped,
    suggestions,
    train,
    user_spec,
)
from tests.helpers.odd_models import compiled
from tests.helpers.plain_fit import dense, plain_fit
from tests.helpers.walk import assert_same

RATE, SIZE, LENGTH = 0.1, 32, 4
STEPS = 10 * LENGTH  # of 300 rows
RISING = 4  # a tenth of them


class Rising(schedules.LearningRateSchedule):
    """What one writes by hand where Keras's own schedule has no warmup."""

    def __init__(self, after):
        self.after = after

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        return keras.ops.where(step < RISING, RATE * step / RISING, self.after(step - RISING))


REST = STEPS - RISING
OF_KERAS = {
    ("cosine", 0.0): lambda: schedules.CosineDecay(RATE, STEPS),
    ("linear", 0.0): lambda: schedules.PolynomialDecay(RATE, STEPS, end_learning_rate=0.0),
    ("constant", 0.1): lambda: schedules.CosineDecay(0.0, REST, 1.0, warmup_target=RATE, warmup_steps=RISING),
    ("cosine", 0.1): lambda: schedules.CosineDecay(0.0, REST, warmup_target=RATE, warmup_steps=RISING),
    ("exponential", 0.1): lambda: Rising(schedules.ExponentialDecay(RATE, REST, 0.01)),
    ("linear", 0.1): lambda: Rising(schedules.PolynomialDecay(RATE, REST, end_learning_rate=0.0)),
}


def trial(kind="cosine", warmup=0.1, **changes):
    """Parameters of a trial with a schedule."""
    usual = {"optimizer": "sgd", "learning_rate": RATE, "epochs": LENGTH, "batch_size": SIZE}
    return {**usual, "schedule": kind, "warmup": warmup, **changes}


def without_schedule(params):
    return {name: value for name, value in params.items() if name not in ("schedule", "warmup")}


EACH = [trial(*each, optimizer=optimizer) for optimizer, each in zip(("sgd", "adam") * 3, OF_KERAS, strict=True)]


@pytest.fixture(scope="module")
def ragged():
    """The last batch is short."""
    return digits(300, 96)


@pytest.fixture(scope="module")
def expected(ragged):
    """What scripts of the user's give, where the optimizer is made with the schedule."""
    rates = [OF_KERAS[params["schedule"], params["warmup"]]() for params in EACH]
    each = zip(EACH, rates, strict=True)
    return [plain_fit(dense, ragged, {**without_schedule(params), "learning_rate": rate}) for params, rate in each]


@pytest.mark.parametrize(("run", "some"), [(lanes, range(6)), (fitted, (1, 4))], ids=["lanes", "fit"])
def test_it_has_the_numbers_of_a_script_with_keras_own_schedules(ragged, expected, run, some):
    results = run(make_spec(), ragged, suggestions(*(EACH[number] for number in some)))
    for place, number in enumerate(some):
        assert_same(results[place], expected[number], EACH[number])
        assert set(results[place].curve) == set(expected[number].history)


def test_trials_with_several_schedules_share_a_program(ragged):
    runner = CompiledRunner(make_spec(), ragged)
    kinds = (("constant", 0.2), ("cosine", 0.0), ("exponential", 0.5), ("linear", 0.2))
    train(runner, suggestions(*(trial(*kind, epochs=1) for kind in kinds)))
    assert len(signatures(runner)) == 1


def test_a_constant_rate_is_that_of_a_trial_without_a_schedule(data):
    plain = without_schedule(trial(optimizer="adam"))
    trials = suggestions(plain, {**plain, "schedule": "constant"})
    for run in (lanes, fitted):
        results = run(make_spec(), data, trials)
        assert_same_bits(results, {0: results[1], 1: results[0]})


OWN_MODEL = Parameter("model.hidden", Categorical(((7,), (20,))))
SIZES = Parameter("batch_size", Categorical((16, 50)))
LAYOUTS = {
    "lanes as an axis": (make_spec(), [{"optimizer": "muon"}, {"optimizer": "muon"}]),
    "averaged weights": (make_spec(), [{"use_ema": True, "gradient_accumulation_steps": 2}]),
    "a model that convolves": (user_spec("convolutional"), [{"optimizer": "adam"}]),
    "batches that are filled up": (
        make_spec((LEARNING_RATE, EPOCHS, OWN_MODEL, SIZES)),
        [{"model.hidden": hidden, "batch_size": size} for hidden, size in (((7,), 50), ((20,), 16))],
    ),
}


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        pytest.param(*each, id=name, marks=() if name == "batches that are filled up" else pytest.mark.soak)
        for name, each in LAYOUTS.items()
    ],
)
def test_every_layout_has_the_numbers_of_fit(spec, given):
    more = {"epochs": 2, "learning_rate": 0.01, "warmup": 0.3}
    assert_as_fit(spec, digits(64, 32), suggestions(*(trial(**{**more, **each}) for each in given)))


@pytest.mark.soak
def test_each_fold_has_steps_of_its_own(in_folds):
    data = in_folds(2, 65)  # 33 and 32 of them train
    assert {math.ceil(len(fold.train) / 32) for fold in data.folds} == {1, 2}
    ours, theirs = (run(make_spec(), data, suggestions(trial(warmup=0.3)))[0] for run in (lanes, fitted))
    np.testing.assert_allclose(ours.curve["loss"], theirs.curve["loss"], rtol=1e-5)


THREE = suggestions(trial("cosine"), trial("linear", 0.0, optimizer="adam"), trial("exponential", epochs=9))


@pytest.mark.parametrize(("kind", "trials"), [(CompiledRunner, THREE), (FitRunner, THREE[:2])])
def test_what_was_stopped_goes_on_in_the_middle_of_its_schedule(data, tmp_path, kind, trials):
    whole = train(kind(make_spec(), data), trials)
    done = stopped(kind, make_spec(), data, tmp_path, trials, 7)
    assert_same_bits(go_on(kind, make_spec(), data, tmp_path, trials, done), whole)


def test_what_ends_a_trial_early_does_not_move_its_schedule(data):
    spec = make_spec(training=Training(early_stopping=EarlyStopping(patience=1, min_delta=0.05)))
    early, whole = (lanes(one, data, suggestions(trial(epochs=9)))[0] for one in (spec, make_spec()))
    pruned = lanes(make_spec(), data, suggestions(trial(epochs=9)), Watching(rung_epochs=(3,), stop_below=2.0))[0]
    assert pruned.state is TrialState.PRUNED and early.epochs < 9
    for result in (early, pruned):
        assert result.curve["loss"] == whole.curve["loss"][: result.epochs]


def test_a_schedule_begins_at_the_rate_of_the_optimizer_that_a_model_brings(data):
    parameters = (Parameter("schedule", Categorical(("linear",))), EPOCHS)
    spec = make_spec(parameters, folder=FOLDER, model=ModelSpec("python", "odd_models:compiled", {}))
    result = fitted(spec, data, suggestions({"schedule": "linear", "epochs": 2}))[0]
    assert result.reason is None
    expected = plain_fit(
        compiled, data, {"optimizer": "sgd", "epochs": 2, "learning_rate": schedules.PolynomialDecay(0.01, 18, 0.0)}
    )
    assert_same(result, expected, "its own optimizer")


def test_a_warmup_leaves_a_step_to_come_after_it():
    rates = keras_schedule(1.0, "cosine", 2, 0.99)(np.arange(3, dtype=np.float32), np)
    np.testing.assert_allclose(rates, (0.0, 1.0, 0.0), atol=1e-7)
    assert keras_schedule(1.0, "linear", 9, 0.01)(np.float32(0), np) == 1.0  # of no step
