from dataclasses import replace

import pytest

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.sweep import time_estimate
from keras_sweep.sweep.time_estimate import OFFER, PROBE_TRIALS, estimate
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import PhaseBegan
from tests.helpers.factory import digits, make_spec

DATA = digits()
RATE = Parameter("learning_rate", Float(1e-3, 1e-1, log=True))


def wanting(trials, *parameters, **changes):
    spec = make_spec(parameters, sampler="random", **changes)
    return replace(spec, search=replace(spec.search, trials=trials))


def of(spec, runner, probe_seconds=time_estimate.PROBE_SECONDS):
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_estimate, "PROBE_SECONDS", probe_seconds)
        found = estimate(spec, runner, told.append)
    assert found.seconds == found.compile_seconds + found.epoch_seconds * found.trial_epochs
    return found, told


def test_trials_that_share_a_program_are_expected_to_compile_no_more_than_the_first_generation():
    spec = wanting(64, RATE, constants={"optimizer": "adam", "epochs": 3})
    found, told = of(spec, CompiledRunner(spec, DATA))
    assert found.programs == 1 and found.trial_epochs == 64 * 3
    assert {event.phase for event in told if isinstance(event, PhaseBegan)} >= {"build", "train"}


def test_trials_that_need_a_program_each_are_expected_to_compile_one_each():
    sizes = Parameter("batch_size", Int(200, 10_000))
    spec = wanting(64, sizes, constants={"optimizer": "adam", "epochs": 1})
    found, _ = of(spec, CompiledRunner(spec, DATA), probe_seconds=0.0)
    assert found.programs == 64  # from the one or two that were compiled until the probe ended
    assert found.compile_seconds > 0


def test_each_trial_of_fit_compiles():
    spec = wanting(5, RATE, constants={"optimizer": "adam", "epochs": 2})
    found, told = of(spec, FitRunner(spec, DATA))
    assert found.programs == 5 and found.trial_epochs == 10
    assert [event.phase for event in told].count("compile") == PROBE_TRIALS < 5  # the first of a process tells little


def test_what_scoring_compiles_is_no_part_of_an_epoch():
    spec = wanting(64, RATE, constants={"optimizer": "adam", "epochs": 100})
    runner = CompiledRunner(spec, DATA)
    found, _ = of(spec, runner)
    spent = runner.spent
    assert found.epoch_seconds == pytest.approx((spent["train"] + spent["validate"]) / (16 * 2))
    assert found.compile_seconds == pytest.approx(spent["compile"] + spent["score"] + spent["build"])


def test_a_space_smaller_than_the_trials_asked_for_is_counted_whole():
    spec = wanting(64, Parameter("optimizer", Categorical(("sgd", "adam"))), constants={"epochs": 2})
    found, _ = of(spec, CompiledRunner(spec, DATA))
    assert found.trial_epochs == 4


def test_finalists_are_counted_as_far_as_a_quarter_of_the_epochs_goes_unless_they_are_asked_for():
    spec = wanting(24, RATE, constants={"optimizer": "adam", "epochs": 2})
    found, _ = of(spec, FitRunner(spec, DATA), probe_seconds=0.0)
    assert (found.finalists, found.finalist_epochs) == ((2, 3), 12)
    asked = replace(spec, finalists_asked=True)
    found, _ = of(asked, FitRunner(asked, DATA), probe_seconds=0.0)
    assert (found.finalists, found.finalist_epochs) == ((5, 3), 30)
    none = replace(spec, finalists=None)
    found, _ = of(none, FitRunner(none, DATA), probe_seconds=0.0)
    assert (found.finalists, found.finalist_epochs) == ((0, 0), 0)


def test_rungs_are_counted_and_offered_where_epochs_are_searched_without_them():
    spec = wanting(40, RATE, Parameter("epochs", Int(1, 20)), constants={"optimizer": "adam"})
    offered, _ = of(spec, CompiledRunner(spec, DATA))
    assert offered.trial_epochs == offered.whole_epochs and 40 * 3 < offered.offered_epochs < 40 * 7
    pruned = replace(spec, early_terminate=OFFER, objective=replace(spec.objective, take_best=True, epochs_from=1))
    found, _ = of(pruned, CompiledRunner(pruned, DATA))
    assert found.trial_epochs == offered.offered_epochs
    assert (found.whole_epochs, found.offered_epochs) == (40 * 10.5, 0.0)
