import numpy as np
import pytest

from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import PhaseBegan
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import Watching, suggestions, train, user_spec

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4)
EQUAL = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 2} for rate in RATES))


@pytest.fixture(scope="module")
def data():
    return digits()


def test_the_trials_of_a_generation_that_use_a_program_share_its_compile_time_equally(data):
    runner, watch = CompiledRunner(make_spec(), data, lane_limit=4), Watching()
    results = train(runner, EQUAL, watch)
    compiled = {result.seconds.compile for result in results.values()}
    assert len(compiled) == 1 and min(compiled) > 0  # two groups of four lanes, whichever came first
    assert sum(result.seconds.compile for result in results.values()) == pytest.approx(runner.spent["compile"])
    later = train(runner, EQUAL)
    assert {result.seconds.compile for result in later.values()} == {0.0}


def test_a_program_is_paid_by_the_trials_that_are_left_when_it_is_needed(data):
    lengths = (1, 1, 2, 2, 3)
    trials = suggestions(*({"optimizer": "adam", "learning_rate": 0.01, "epochs": epochs} for epochs in lengths))
    spec = make_spec((Parameter("epochs", Int(1, 20_000)),))  # so much to do that a smaller program is worth compiling
    runner = CompiledRunner(spec, data, lane_limit=5)
    results = train(runner, trials)
    shares = [results[number].seconds.compile for number in range(5)]
    assert shares[0] == shares[1] < shares[2] == shares[3] < shares[4]
    assert sum(shares) == pytest.approx(runner.spent["compile"])


def test_the_phases_of_training_are_told_with_their_counts(data):
    watch = Watching()
    train(CompiledRunner(make_spec(), data, lane_limit=4), EQUAL, watch)
    assert watch.phases[0][0] == "build"
    assert watch.phases[-1] == ("train", 1, 1)
    assert {name for name, _, _ in watch.phases} <= {"build", "compile", "train"}  # a quick one passes unseen


def test_each_trial_of_fit_compiles_and_its_time_is_named(data):
    runner, watch = FitRunner(make_spec(), data), Watching()
    results = train(runner, EQUAL[:2], watch)
    assert [name for name, _, _ in watch.phases] == ["build", "compile", "train"] * 2
    for part in ("compile", "validate"):
        assert sum(getattr(one.seconds, part) for one in results.values()) == pytest.approx(runner.spent[part])


def test_the_time_of_compiling_is_known_where_no_trial_has_ended(data):
    long = suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 10_000})
    runner = CompiledRunner(make_spec(), data)
    assert train(runner, long, Watching(stop_after=1)) == {}
    assert runner.spent["compile"] > 0 and runner.spent["train"] > 0


def test_a_later_trial_needs_a_program_where_each_one_so_far_needed_its_own(data):
    told = []

    class Told(Watching):
        def __call__(self, event):
            if isinstance(event, PhaseBegan):
                told.append((event.total, event.per_trial))

    own = suggestions(
        *({"optimizer": "adam", "learning_rate": 0.01, "epochs": 1, "batch_size": size} for size in (16, 32, 64))
    )
    train(CompiledRunner(make_spec(), data), own, Told())
    assert told[-1] == (3, 1.0)
    train(CompiledRunner(make_spec(), data), EQUAL, Told())
    assert told[-1][1] == 0.0


def test_programs_of_the_dense_model_serve_every_seed_with_the_numbers_of_one_compiled_for_it(data):
    model = ModelSpec("dense", "dense", {"hidden": (8,), "dropout": 0.3})
    spec = make_spec(model=model)
    first, second = (
        suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 2, "seed": seed} for rate in (0.01, 0.1)))
        for seed in (1, 2)
    )
    runner, own = CompiledRunner(spec, data), CompiledRunner(spec, data)
    train(runner, first)
    compiled = runner.compiled
    found, expected = train(runner, second), train(own, second)
    assert runner.compiled == compiled == own.compiled
    for number, result in expected.items():
        assert found[number].curve == result.curve
        assert all(map(np.array_equal, found[number].weights, result.weights))
    assert found[0].curve != train(runner, first)[0].curve
    assert {one.seconds.compile for one in found.values()} == {0.0}


def test_a_model_of_the_users_is_compiled_for_each_seed(data):
    runner = CompiledRunner(user_spec("regularized"), data)
    for seed in (1, 2):
        train(runner, suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 1, "seed": seed}))
    assert runner.compiled == 2
