"""Momentum, beta_1 and their like differ among the lanes of one program."""

import numpy as np
import pytest

from keras_sweep.space.distributions import Categorical, Float
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.training.lanes.lane_numbers import PerLaneValue
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.signature import _PER_LANE
from keras_sweep.trial.result import TrialState
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import assert_as_fit, lanes, signatures, suggestions


def space(**distributions):
    return SearchSpace(tuple(Parameter(name, one) for name, one in distributions.items()))


def searching(*names, **changes):
    """A spec in which these arguments vary."""
    return make_spec(space=space(**{name: Float(0.0, 1.0) for name in names}), **changes)


def as_fit(spec, data, trials):
    """Results with the numbers of `fit`, and the programs that gave them."""
    runner = CompiledRunner(spec, data)
    return assert_as_fit(spec, data, trials, runner=runner), signatures(runner)


OTHERS = (0.1, 0.3, 0.5)  # of an argument that has no values here
VALUES = {
    "momentum": (0.1, 0.9, 0.5),
    "weight_decay": (0.1, 0.01, 0.001),
    "rho": (0.9, 0.99, 0.5),
    "epsilon": (1e-7, 1e-3, 0.1),
    "beta_1": (0.9, 0.5, 0.99),
    "beta_2": (0.999, 0.9, 0.99),
}


@pytest.mark.parametrize("optimizer", sorted(_PER_LANE))
def test_lanes_of_one_program_have_the_numbers_of_fit_in_every_argument_that_may_differ(data, optimizer):
    """An argument that enters more than sums and products of a step, as the start of an accumulator, fails here."""
    names = sorted(_PER_LANE[optimizer])
    trials = suggestions(
        *(
            {"optimizer": optimizer, "learning_rate": 0.003, "epochs": 2, "batch_size": 96}
            | {name: VALUES.get(name, OTHERS)[lane] for name in names}
            for lane in range(3)
        )
    )
    spec = searching(*names)
    results, used = as_fit(spec, data, trials)
    assert len({result.curve["loss"] for result in results.values()}) == 3
    assert len(used) == 1


def test_without_momentum_a_lane_has_another_program(data):
    sgd = {"optimizer": "sgd", "learning_rate": 0.01, "epochs": 1}
    trials = suggestions({**sgd, "momentum": 0.0}, {**sgd, "momentum": 0.9}, {**sgd, "momentum": 0.5})
    spec = searching("momentum")
    _, used = as_fit(spec, data, trials)
    assert {signature.per_lane for signature in used} == {(), ("momentum",)}


def test_a_number_that_keras_refuses_fails_its_trial_alone(data):
    sgd = {"optimizer": "sgd", "learning_rate": 0.01, "epochs": 1}
    results = lanes(searching("momentum"), data, suggestions({**sgd, "momentum": 1.5}, {**sgd, "momentum": 0.5}))
    assert results[0].state is TrialState.FAIL
    assert "momentum" in results[0].reason
    assert results[1].state is TrialState.COMPLETE


def test_clipping_by_norm_takes_a_program_for_each_number(data):
    sgd = {"optimizer": "sgd", "learning_rate": 0.01, "epochs": 1, "clipnorm": 0.1}
    trials = suggestions({**sgd, "momentum": 0.9}, {**sgd, "momentum": 0.5})
    spec = searching("momentum")
    _, used = as_fit(spec, data, trials)
    assert [signature.per_lane for signature in used] == [(), ()]


def test_different_optimizers_share_a_program_with_numbers_of_their_own(data):
    spec = make_spec(
        space=SearchSpace(
            (
                Parameter("optimizer", Categorical(("sgd", "adam"))),
                Parameter("momentum", Float(0.1, 0.9), (Condition("optimizer", ("sgd",)),)),
                Parameter("beta_1", Float(0.5, 0.9), (Condition("optimizer", ("adam",)),)),
            )
        )
    )
    shared = {"learning_rate": 0.003, "epochs": 2}
    trials = suggestions(
        {"optimizer": "sgd", "momentum": 0.9, **shared},
        {"optimizer": "adam", "beta_1": 0.8, **shared},
        {"optimizer": "sgd", "momentum": 0.2, **shared},
    )
    _, used = as_fit(spec, data, trials)
    assert len(used) == 1


def test_an_own_number_is_no_plain_number():
    number = PerLaneValue(np.array([0.5]), np.array([0.25]))
    assert 1 - number == np.array([0.25])
    assert number != 0
    assert number > 0
    with pytest.raises(TypeError):
        2 - number
    with pytest.raises(TypeError):
        number == 0.5  # noqa: B015
