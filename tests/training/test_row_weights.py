"""What rows count in the loss: in every layout of lanes as in a script with Keras's own `class_weight`."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.errors import UsageError
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import Training
from keras_sweep.training.row_weights import class_weights
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import lanes, suggestions, user_spec, with_labels
from tests.helpers.plain_fit import dense, plain_fit
from tests.helpers.user_models import convolutional, regularized
from tests.helpers.walk import assert_same

OWN_MODEL = Parameter("model.hidden", Categorical(((7,), (20,))))
SIZES = Parameter("batch_size", Categorical((16, 50)))
LAYOUTS = {
    "lanes as an axis": (make_spec(), {"optimizer": "muon"}, dense),
    "averaged weights": (make_spec(), {"optimizer": "sgd", "use_ema": True, "ema_momentum": 0.5}, dense),
    "a penalty": (user_spec("regularized"), {"optimizer": "adam"}, lambda: regularized((64,), 10)),
    "a model that convolves": (user_spec("convolutional"), {"optimizer": "adam"}, lambda: convolutional((64,), 10)),
    "batches that are filled up": (
        make_spec((LEARNING_RATE, EPOCHS, OWN_MODEL, SIZES)),
        {"optimizer": "adam", "model.hidden": (7,), "batch_size": 50},
        lambda: keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(7, "relu"), keras.layers.Dense(10, activation="softmax")]
        ),
    ),
}


@pytest.mark.full_effort
@pytest.mark.parametrize(("spec", "params", "build"), LAYOUTS.values(), ids=LAYOUTS)
def test_classes_weigh_the_same_in_every_layout(uneven, spec, params, build):
    weighs = replace(spec, training=Training(class_weight="balanced"))
    trials = suggestions(*({"batch_size": 32, "epochs": 2, "learning_rate": rate, **params} for rate in (0.01, 0.003)))
    result = lanes(weighs, uneven, trials)[0]
    given = {name: value for name, value in trials[0].params.items() if not name.startswith("model.")}
    expected = plain_fit(build, uneven, given, class_weight=class_weights("balanced", uneven))
    assert_same(result, expected, params, validation="use_ema" not in params)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({12: 2.0}, "names the class '?12'?, but the classes of digits are 0 to 9"),
        ({"cat": 1.0}, "names the class .cat."),
    ],
)
def test_a_class_that_is_not_there_is_named(data, wanted, says):
    with pytest.raises(UsageError, match=says):
        class_weights(wanted, data)


def test_numbers_are_no_classes(data):
    numbers = with_labels(data, lambda y: y / 10, classes=None)
    with pytest.raises(UsageError, match="the labels of digits are numbers"):
        class_weights("balanced", numbers)


def test_balanced_is_what_scikit_learn_calls_so(uneven):
    from sklearn.utils.class_weight import compute_class_weight

    found = class_weights("balanced", uneven)
    expected = compute_class_weight("balanced", classes=np.array(sorted(found)), y=uneven.train.y)
    np.testing.assert_allclose([found[one] for one in sorted(found)], expected)
