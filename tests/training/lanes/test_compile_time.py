import numpy as np
import pytest

from keras_sweep.process.compiling import Effort
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.lanes.packing import Device
from keras_sweep.training.lanes.runner import CompiledRunner
from tests.helpers.factory import LEARNING_RATE, make_spec
from tests.helpers.lane_trials import Watching, assert_as_fit, fitted, signatures, suggestions, train, user_spec

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4)
EQUAL = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 2} for rate in RATES))


def compiling(results):
    """Seconds by trial."""
    return {number: result.seconds.compile for number, result in results.items()}


def test_trials_wait_together_for_the_program_that_they_train_in_and_later_ones_do_not(data):
    runner, watch, again = CompiledRunner(make_spec(), data, device=Device(lanes=4)), Watching(), Watching()
    first = compiling(train(runner, EQUAL, watch))
    assert len({first[number] for number in range(4)}) == 1  # two groups of four lanes
    assert runner.compiled == 1
    assert watch.phases[0][0] == "build" and watch.phases[-1] == ("train", 1, 1)
    assert {name for name, _, _ in watch.phases} <= {"build", "compile", "train"}  # a quick one passes unseen
    train(runner, EQUAL, again)
    assert runner.compiled == 1 and ("compile", 0, 1) not in again.phases


def test_a_smaller_program_is_waited_for_by_the_trials_that_are_left(data):
    lengths = (1, 1, 2, 2, 3)
    trials = suggestions(*({"optimizer": "adam", "learning_rate": 0.01, "epochs": epochs} for epochs in lengths))
    spec = make_spec((Parameter("epochs", Int(1, 20_000)),))  # so much to do that a smaller program is worth compiling
    shares = compiling(train(CompiledRunner(spec, data, device=Device("gpu", lanes=5)), trials))
    assert shares[0] == shares[1] < shares[2] == shares[3] < shares[4]


def test_the_time_of_compiling_is_known_where_no_trial_has_ended(data):
    long = suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 10_000})
    runner = CompiledRunner(make_spec(), data)
    assert train(runner, long, Watching(stop_after=1)) == {}
    assert runner.spent["compile"] > 0 and runner.spent["train"] > 0


def test_what_a_generation_is_to_compile_is_known_before_it_trains(data):
    own = suggestions(
        *({"optimizer": "adam", "learning_rate": 0.01, "epochs": 1, "batch_size": size} for size in (16, 32, 64))
    )
    runner = CompiledRunner(make_spec(), data)
    assert runner.programs(own, frozenset(range(3)), Watching()) == [(1, 1)] * 3
    assert runner.programs(EQUAL, frozenset(range(8)), Watching()) == [(1, 8)]
    lengths = suggestions(*({"optimizer": "adam", "learning_rate": 0.01, "epochs": epochs} for epochs in (1, 2, 4)))
    assert runner.programs(lengths, frozenset(range(3)), Watching()) == [(1, 3)]  # with so little to do to the end


@pytest.mark.parametrize(
    ("epochs", "device", "compiled"), [(20_000, Device(), 3), (20_000, Device("gpu"), 1), (20, Device(), 1)]
)
def test_survivors_of_a_rung_that_train_for_long_are_two_programs_on_a_cpu_where_one_would_train_alone(
    data, epochs, device, compiled
):
    spec = make_spec((Parameter("epochs", Int(1, epochs)),))
    runner = CompiledRunner(spec, data, device=device)
    rates = (1e-9, 0.01, 0.03, 0.1)
    trials = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 3} for rate in rates))
    results = train(runner, trials, Watching(rung_epochs=(1,), stop_below=0.3))
    assert [results[number].epochs for number in range(4)] == [1, 3, 3, 3]
    assert runner.compiled == compiled


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


def test_a_model_of_the_users_is_compiled_for_each_seed(data):
    runner = CompiledRunner(user_spec("regularized"), data)
    for seed in (1, 2):
        train(runner, suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 1, "seed": seed}))
    assert runner.compiled == 2


@pytest.mark.soak
@pytest.mark.full_effort
def test_lanes_have_the_numbers_of_fit_at_every_effort(data):
    trials = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 2} for rate in (0.001, 0.05)))
    theirs = fitted(make_spec(), data, trials)
    for most, expected in ((2, Effort.LOW), (2_000, Effort.MEDIUM), (20_000, Effort.FULL)):
        spec = make_spec((LEARNING_RATE, Parameter("epochs", Int(1, most))))
        runner = CompiledRunner(spec, data)
        assert_as_fit(spec, data, trials, runner=runner, theirs=theirs)
        (signature,) = signatures(runner)
        assert runner._programs.choose_effort(signature) is expected
