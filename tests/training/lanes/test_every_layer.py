"""Each layer of Keras has the numbers of `fit` in lanes, or trains by `fit`, and one line says why."""

import keras
import pytest

from keras_sweep.training.lanes.flat import can_use_flat_layout
from keras_sweep.training.lanes.lane_support import why_not_lanes
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.lanes.validation import has_stateful_test_step
from keras_sweep.trial.plan import training_plan
from tests.helpers import keras_catalogue as catalogue
from tests.helpers.lane_trials import fitted, suggestions
from tests.helpers.plain_fit import plain_fit
from tests.helpers.walk import SHORT, WHOLE, assert_same, rows, spec_of, trained

# MixUp asks JAX for whole numbers of 64 bits, by `fit` as in lanes
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")

DATA = rows(catalogue.WIDTH, sizes=WHOLE)
ENDING_SHORT = rows(catalogue.WIDTH, sizes=SHORT)
TABLE = catalogue.layer_table()
# SGD: what a gradient should not move, as a key's bias, it moves by rounding alone, which Adam would blow up
TRIALS = tuple({"optimizer": "sgd", "learning_rate": rate, "epochs": 2, "batch_size": 8} for rate in (0.05, 0.02))
AT_ONCE = 4  # layers of a model, a branch each


def sharing(kind, *, in_batches):
    """Names of the layers that train so, those that compile slowly left out, in groups."""
    names = [
        name
        for name, (trains, *_) in sorted(TABLE.items())
        if trains == kind and name not in catalogue.SLOW and (name in catalogue.IN_BATCHES) == in_batches
    ]
    return ["+".join(names[start : start + AT_ONCE]) for start in range(0, len(names), AT_ONCE)]


GROUPS = [  # a twelfth of them: compiling takes minutes, most for recurrent ones; the long form has all, and each alone
    pytest.param(
        kind,
        in_batches,
        names,
        marks=pytest.mark.soak if index % 12 or (kind is catalogue.TOGETHER and in_batches) else (),
    )
    for kind in (catalogue.TOGETHER, catalogue.ONE_BY_ONE)
    for in_batches in (False, True)
    for index, names in enumerate(sharing(kind, in_batches=in_batches))
]


def spec_with(names):
    return spec_of("keras_catalogue:with_layers", {"names": names})


def assert_as_fit(names, kind, *, in_batches, data):
    results, how = trained(spec_with(names), data, TRIALS)
    assert how == (kind == catalogue.ONE_BY_ONE, kind == catalogue.TOGETHER, not in_batches)
    assert_same(results[0], plain_fit(lambda: catalogue.with_layers(names), data, TRIALS[0], metrics=()), names)


def test_every_layer_is_walked_through_or_left_out_with_a_reason():
    assert set(catalogue.public("layers")) == set(TABLE) | catalogue.named(catalogue.LAYERS_LEFT_OUT)
    assert not set(TABLE) & catalogue.named(catalogue.LAYERS_LEFT_OUT)
    assert set(TABLE) >= catalogue.IN_BATCHES | catalogue.SLOW


def test_the_pages_have_the_tables_that_are_walked_through():
    for path, text in catalogue.write_pages():
        assert path.read_text() == text, "write them again: python -m tests.helpers.keras_catalogue"
        assert f"Keras {keras.__version__}" in text


@pytest.mark.parametrize(("kind", "in_batches", "names"), GROUPS)
def test_layers_have_the_numbers_of_fit(kind, in_batches, names):
    assert why_not_lanes(spec_with(names), DATA) is None
    assert_as_fit(names, kind, in_batches=in_batches, data=DATA)


@pytest.mark.parametrize("name", ["GRU", "MixUp", "RandomHue"])  # the long form has each of DRAW_IN_VALIDATION
def test_what_draws_in_validation_does_so_alone(name):
    template = Template(spec_with(name), make_signature(training_plan(spec_with(name), TRIALS[0])), DATA)
    assert has_stateful_test_step(template, DATA.train)


@pytest.mark.parametrize("name", ["Conv2D", "ConvLSTM1D", "STFTSpectrogram"])  # the long form has each
def test_what_convolves_does_so_alone(name):
    spec = spec_with(name)
    template = Programs(spec, DATA).get_template(make_signature(training_plan(spec, TRIALS[0])))
    assert template.has_convolution and not can_use_flat_layout(template)


def test_what_lanes_cannot_train_says_why():
    by_fit = sorted(name for name, (kind, *_) in TABLE.items() if kind == catalogue.BY_FIT)
    assert by_fit == ["AugMix"]
    why = "a layer draws random numbers from Python or NumPy"
    assert why_not_lanes(spec_with("AugMix"), DATA) == why


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_layer_alone_has_the_numbers_of_fit(name):
    if TABLE[name][0] == catalogue.BY_FIT:
        result = fitted(spec_with(name), ENDING_SHORT, suggestions(TRIALS[0]))[0]
        assert_same(result, plain_fit(lambda: catalogue.with_layers(name), ENDING_SHORT, TRIALS[0], metrics=()), name)
    else:
        assert_as_fit(name, TABLE[name][0], in_batches=name in catalogue.IN_BATCHES, data=ENDING_SHORT)
