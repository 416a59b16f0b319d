"""Each optimizer of Keras with each of its arguments has the numbers of `fit` in lanes."""

import pytest

from keras_sweep.training.lanes.signature import is_elementwise
from tests.helpers import keras_catalogue as catalogue
from tests.helpers.lane_trials import lanes, suggestions
from tests.helpers.plain_fit import hidden, plain_fit
from tests.helpers.walk import WHOLE, assert_same, rows, spec_of

DATA = rows(8, sizes=WHOLE)
NAMES = sorted(set(catalogue.public("optimizers")) - catalogue.named(catalogue.OPTIMIZERS_LEFT_OUT))
RATES = (0.003, 0.01)


def compared(name, sets):
    """Train these sets of arguments, each at two rates in one program, and compare the first with a script's."""
    spec = spec_of("plain_fit:hidden", {"classes": catalogue.CLASSES})
    basic = {"optimizer": name, "epochs": 2, "batch_size": 8}
    trials = [{**basic, "learning_rate": rate, **arguments} for arguments in sets for rate in RATES]
    results = lanes(spec, DATA, suggestions(*trials))
    for number in range(0, len(trials), len(RATES)):
        expected = plain_fit(lambda: hidden(catalogue.CLASSES), DATA, trials[number], metrics=())
        averaged = "use_ema" in trials[number]
        assert_same(results[number], expected, trials[number], validation=not averaged)
        if averaged:  # `fit` validates before it puts the averages in, `evaluate` after
            assert results[number].value == pytest.approx(expected.scores["loss"], rel=1e-5)


def test_every_optimizer_is_walked_through_or_left_out_with_a_reason():
    assert catalogue.named(catalogue.OPTIMIZERS_LEFT_OUT) < set(catalogue.public("optimizers"))


def test_every_argument_is_in_one_of_the_sets():
    norms = set()
    for name in NAMES:
        tried = {key for each in catalogue.optimizer_trials(name) for key in each}
        assert tried | set(catalogue.BY_NORM) == set(catalogue.optimizer_arguments(name))
        norms |= tried & set(catalogue.BY_NORM)
    assert norms == set(catalogue.BY_NORM)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [  # of every third optimizer in short
        pytest.param(name, arguments, id=f"{name}-{second}", marks=pytest.mark.soak if index % 3 else ())
        for index, name in enumerate(NAMES)
        for second, arguments in enumerate(catalogue.optimizer_trials(name))
    ],
)
def test_an_optimizer_has_the_numbers_of_fit_with_each_of_its_arguments(name, arguments):
    compared(name, [arguments])


def test_optimizers_whose_elements_stand_alone_are_known():
    found = {name for name in NAMES if not is_elementwise(catalogue.public("optimizers")[name]())}
    assert found == catalogue.MAPPED
