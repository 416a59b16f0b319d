import pytest

from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.training.compiling import LOW, MEDIUM, Effort, effort
from keras_sweep.training.lanes.runner import CompiledRunner
from tests.helpers.factory import LEARNING_RATE, digits, make_spec
from tests.helpers.lane_trials import assert_as_fit, signatures, suggestions

pytestmark = pytest.mark.full_effort


def test_effort_grows_with_the_updates_of_the_longest_trial():
    found = [effort(updates) for updates in (1, LOW, LOW + 1, MEDIUM, MEDIUM + 1)]
    assert found == [Effort.LOW, Effort.LOW, Effort.MEDIUM, Effort.MEDIUM, Effort.FULL]


@pytest.mark.parametrize("most", [2, 2_000, 20_000])
def test_lanes_have_the_numbers_of_fit_at_every_effort(most):
    spec = make_spec((LEARNING_RATE, Parameter("epochs", Int(1, most))))
    runner = CompiledRunner(spec, digits())
    trials = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 2} for rate in (0.001, 0.01, 0.05)))
    assert_as_fit(spec, digits(), trials, runner=runner)
    (signature,) = signatures(runner)
    expected = {2: Effort.LOW, 2_000: Effort.MEDIUM, 20_000: Effort.FULL}[most]
    assert runner._programs.effort(signature) is expected


def test_lanes_with_little_to_do_share_one_program_to_the_end():
    trials = suggestions(
        *({"optimizer": "adam", "learning_rate": 0.01 * epochs, "epochs": epochs} for epochs in (1, 2, 3, 4))
    )
    runner = CompiledRunner(make_spec(), digits())
    assert_as_fit(make_spec(), digits(), trials, runner=runner)
    assert runner.compiled == 1
