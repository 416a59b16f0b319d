import time
from dataclasses import replace
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.process.compiling import enable_compile_cache
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import Finish
from keras_sweep.sweep import time_estimate
from keras_sweep.sweep.time_estimate import HALVING, PROBE_TRIALS, RUNGS, _offer_rungs, estimate_time
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import EpochEnded, Noticed, PhaseBegan
from keras_sweep.trial.result import Suggestion, TrialState
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result

DATA = digits()
RATE = Parameter("learning_rate", Float(1e-3, 1e-1, log=True))


def wanting(trials, *parameters, **changes):
    spec = make_spec(parameters, sampler="random", **changes)
    return replace(spec, search=replace(spec.search, trials=trials))


def of(spec, runner, probe_seconds=time_estimate.PROBE_SECONDS):
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_estimate, "PROBE_SECONDS", probe_seconds)
        found = estimate_time(spec, runner, told.append)
    assert found.seconds == found.compile_seconds + found.epoch_seconds * found.trial_epochs
    return found, told


def test_trials_that_share_a_program_are_expected_to_compile_no_more_than_the_first_generation():
    spec = wanting(64, RATE, constants={"optimizer": "adam", "epochs": 3})
    found, told = of(spec, CompiledRunner(spec, DATA))
    assert found.programs == 1 and found.trial_epochs == 64 * 3
    assert {event.phase for event in told if isinstance(event, PhaseBegan)} >= {"build", "train"}


def test_each_trial_of_fit_compiles():
    spec = wanting(5, RATE, constants={"optimizer": "adam", "epochs": 2})
    found, told = of(spec, FitRunner(spec, DATA))
    assert found.programs == 5 and found.trial_epochs == 10
    assert [event.phase for event in told].count("compile") == PROBE_TRIALS < 5  # the first of a process tells little


def test_finalists_are_counted_as_far_as_a_quarter_of_the_epochs_goes_unless_they_are_asked_for():
    spec = wanting(24, RATE, constants={"optimizer": "adam", "epochs": 2})
    for changes, finalists, epochs in (
        ({}, (2, 3), 12),
        ({"finalists_asked": True}, (5, 3), 30),
        ({"finalists": None}, (0, 0), 0),
    ):
        found, _ = of(replace(spec, **changes), Stated())
        assert (found.finalists, found.finalist_epochs) == (finalists, epochs)


def test_rungs_are_counted_and_offered_where_epochs_are_searched_without_them():
    epochs = Parameter("epochs", Int(1, 20))
    spec = wanting(40, RATE, epochs, constants={"optimizer": "adam"})
    offered, _ = of(spec, Stated())
    assert offered.offer == RUNGS
    assert offered.trial_epochs == offered.whole_epochs and 40 * 3 < offered.offered_epochs < 40 * 7
    pruned = replace(spec, early_terminate=RUNGS, objective=replace(spec.objective, take_best=True, epochs_from=1))
    found, _ = of(pruned, Stated())
    assert found.trial_epochs == offered.offered_epochs
    assert (found.whole_epochs, found.offer, found.offered_epochs) == (40 * 10.5, None, 0.0)
    fixed = wanting(40, RATE, constants={"optimizer": "adam", "epochs": 9})
    band = make_spec((RATE, epochs), sampler="hyperband", constants={"optimizer": "adam"})
    band = replace(band, search=replace(band.search, engine="keras-tuner", trials=40))
    for none in (of(one, Stated())[0] for one in (fixed, band)):
        assert (none.offer, none.offered_epochs) == (None, 0.0)
    halved, _ = of(replace(fixed, early_terminate=RUNGS), Stated())
    assert halved.whole_epochs == 40 * 9 > halved.trial_epochs > 40 * 2 and halved.offer is None


def test_a_sampler_that_learns_from_random_trials_is_offered_a_halved_generation_of_them():
    spec = wanting(64, RATE, Parameter("epochs", Int(1, 20)), constants={"optimizer": "adam"})
    offers = {}
    for engine, sampler in (("optuna", "tpe"), ("optuna", "random"), ("optuna", "grid"), ("keras-tuner", "bayesian")):
        search = replace(spec.search, engine=engine, sampler=sampler)
        offers[sampler] = _offer_rungs(replace(spec, search=search))
    assert offers == {"tpe": HALVING, "random": RUNGS, "grid": RUNGS, "bayesian": RUNGS}
    learning = replace(spec, search=replace(spec.search, sampler="tpe"))
    assert of(learning, Stated())[0].offered_epochs < of(spec, Stated())[0].offered_epochs


def test_no_rungs_are_offered_that_the_space_file_may_not_have():
    parameters = (RATE, Parameter("epochs", Int(1, 20)))
    spec = wanting(64, *parameters, constants={"optimizer": "adam"})
    goals = replace(spec.objective, further=(Objective("val_loss", Goal.MINIMIZE),))
    noise = Parameter("data.noise", Categorical((0, 1)))
    varied = wanting(64, *parameters, noise, constants={"optimizer": "adam"})
    assert _offer_rungs(spec) == RUNGS
    assert [_offer_rungs(each) for each in (replace(spec, objective=goals), varied)] == [None, None]


def test_no_rung_is_offered_before_the_first_epoch_that_counts():
    for least, offers in ((1, [HALVING, RUNGS]), (2, [RUNGS, RUNGS]), (5, [replace(RUNGS, min_iter=5)] * 2)):
        spec = wanting(64, RATE, Parameter("epochs", Int(least, 20)), constants={"optimizer": "adam"})
        learning = replace(spec, search=replace(spec.search, sampler="tpe"))
        assert [_offer_rungs(each) for each in (learning, spec)] == offers


class Stated:
    """A runner that states what its training took: of 16 trials one shares its three programs with no other."""

    joins = False
    name, generation, at_once, compiled = "stated", 16, 2, 2
    needed = ((3, 1), (2, 15))

    def __init__(self, state=TrialState.COMPLETE, epochs=2, stops=False) -> None:
        self.spent = {"train": 6.0, "validate": 2.0, "compile": 10.0, "score": 4.0, "build": 8.0}
        self.state, self.epochs, self.stops = state, epochs, stops

    def programs(self, trials, wanted, emit):
        self.asked, self.wanted = trials, wanted
        return self.needed

    def run(self, trials, wanted, watch):
        self.short, self.stopping = trials, [watch.stopping()]
        watch.emit(PhaseBegan("train"))
        for epoch in range(self.epochs):
            watch.emit(EpochEnded(0, epoch + 1, {"val_accuracy": 0.5}))
        self.stopping.append(watch.stopping())
        if not self.stops:
            yield from (replace(result(one.number, 0.5), state=self.state) for one in trials if one.number in wanted)


def test_what_later_trials_compile_and_build_goes_by_those_of_the_first_generation_that_share_with_none():
    runner, told = Stated(), []
    spec = wanting(64, RATE, Parameter("epochs", Int(3, 6)), constants={"optimizer": "adam"})
    found = estimate_time(spec, runner, told.append)
    later = 3 / 16 * 48
    assert found.programs == 5 + later
    assert found.compile_seconds == pytest.approx((10 + 4) / 2 * (5 + later) + 8 * (1 + later / 16))
    assert (found.epoch_seconds, found.generation, found.at_once, found.runner) == (8 / 2, 16, 2, "stated")
    assert found.seconds == found.compile_seconds + 4 * found.trial_epochs
    assert found.learns is False and found.refit_epochs == 0
    lengths = [one.params["epochs"] for one in runner.asked]
    assert found.trial_epochs == sum(lengths) * 4 and {one.params["epochs"] for one in runner.short} == {2}
    assert runner.wanted == frozenset(range(16)) and PhaseBegan("train") in told
    assert not any(isinstance(event, EpochEnded) for event in told)
    (doubt,) = [event.message for event in told if isinstance(event, Noticed)]
    assert "val_accuracy 0.5000" in doubt  # of each trial, whatever is trained


def test_a_probe_is_long_enough_to_tell_and_of_no_trial_that_is_not_to_be():
    spec = wanting(2, RATE, constants={"optimizer": "adam", "epochs": 1})
    runner = Stated()
    runner.generation = 1
    found = estimate_time(spec, runner, lambda event: None)
    assert len(runner.asked) == PROBE_TRIALS and runner.wanted == {0, 1}
    assert found.trial_epochs == 2 and found.programs == 5  # none come later
    assert {one.params["epochs"] for one in runner.short} == {1}
    refit = replace(spec, finish=Finish(refit=True))
    assert estimate_time(refit, Stated(), lambda event: None).refit_epochs == 1


def test_a_probe_ends_once_its_time_is_over_and_an_epoch_is_done(monkeypatch):
    spec, runner = wanting(64, RATE, constants={"optimizer": "adam", "epochs": 4}), Stated(stops=True)
    found, _ = of(spec, runner, probe_seconds=-1.0)
    assert runner.stopping == [False, True] and found.epoch_seconds == 4
    runner = Stated()
    of(spec, runner)
    assert runner.stopping == [False, False]


@pytest.mark.parametrize("runner", [Stated(TrialState.FAIL), Stated(epochs=0)])
def test_of_trials_that_all_fail_nothing_is_estimated(runner):
    spec = wanting(8, RATE, constants={"optimizer": "adam", "epochs": 4})
    assert estimate_time(spec, runner, lambda event: None) is None


def test_each_set_of_values_of_the_data_has_programs_of_its_own():
    shuffles = Parameter("data.noise", Categorical((0, 1, 2)))
    spec = wanting(16, RATE, shuffles, constants={"optimizer": "adam", "epochs": 4})
    assert estimate_time(spec, Stated(), lambda event: None).programs == 5 * 3


OWN = """
data: digits
model: {python: "own:build"}
loss: sparse_categorical_crossentropy
metric: {name: val_loss, goal: minimize}
parameters: {learning_rate: {min: 0.001, max: 0.1}, optimizer: sgd, epochs: 2}
search: {trials: 2, generation: 2}
"""
BUILD = """
import keras

def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes, activation="softmax")])
"""


def test_a_model_that_fit_on_tensorflow_trains_faster_is_told_by_check_and_then_by_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    enable_compile_cache()  # the usual one: a process keeps the first that it gets
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    Path("own.yaml").write_text(OWN)
    Path("own.py").write_text(BUILD)
    notices = []

    def listener(event):
        notices.extend([event.message] if isinstance(event, Noticed) and "TensorFlow" in event.message else [])

    def run():
        ks.run("own.yaml", fresh=True, test=False, listener=listener)
        return notices.pop() if notices else None

    assert run() is None  # nothing is measured
    monkeypatch.setattr(time_estimate, "_time_lane_epoch", lambda runner, trial: 3600.0)
    ks.check("own.yaml").estimate(listener=listener)
    notice = notices.pop()
    assert "`fit` on TensorFlow trains this model " in notice and "; to use it: `--backend tensorflow --work" in notice
    assert run() == notice
    Path("own.py").write_text(BUILD.replace("Dense(", "Dense(units="))
    assert run() is None  # another model


def test_a_step_in_lanes_takes_less_than_the_process_has_used():
    spec = wanting(64, RATE, constants={"optimizer": "adam", "epochs": 3})
    trial, before = Suggestion(0, {"optimizer": "adam", "learning_rate": 0.01, "epochs": 1}), time.process_time()
    found = time_estimate._time_lane_epoch(CompiledRunner(spec, DATA), trial)
    assert 0 < found < time.process_time() - before


def test_the_dense_model_is_not_compared():
    spec = wanting(64, RATE, constants={"optimizer": "adam", "epochs": 3})
    time_estimate.tell_faster_fit(spec, DATA, CompiledRunner(spec, DATA), pytest.fail, measure=True)
