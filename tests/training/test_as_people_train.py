"""What people add to a first training, on rows that are made here: lanes and `fit` give Keras's curves."""

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import EarlyStopping, ModelSpec, ReduceLROnPlateau, Training
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import fitted, lanes, suggestions
from tests.helpers.plain_fit import plain_fit
from tests.helpers.walk import assert_same

EPOCHS, SIZE, ROWS, CLASSES = 6, 16, 96, 3
USUAL = {"optimizer": "adam", "learning_rate": 0.03, "epochs": EPOCHS, "batch_size": SIZE}
BY_LOSS = {"loss": "categorical_crossentropy", "metrics": (), "objective": Objective("val_loss", Goal.MINIMIZE)}


def made(*, weights: bool = False, one_hot: bool = False) -> SearchData:
    """Three clouds that overlap."""
    draw = np.random.default_rng(3)
    indices = draw.integers(0, CLASSES, ROWS * 3 // 2).astype(np.int32)
    x = (draw.normal(size=(len(indices), 4)) + indices[:, None]).astype(np.float32)
    y = np.eye(CLASSES, dtype=np.float32)[indices] if one_hot else indices
    w = draw.gamma(1.0, 1.0, len(indices)).astype(np.float32) if weights else None
    parts = (slice(ROWS), slice(ROWS, None))
    rows = [Rows(x[part], y[part], None if w is None else w[part]) for part in parts]
    return SearchData("clouds", *rows, "clouds", CLASSES)


def build(activation: str = "softmax") -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(CLASSES, activation=activation)])


STOP = {"monitor": "val_loss", "patience": 1, "min_delta": 0.05}
FALL = {"monitor": "val_loss", "patience": 1, "factor": 0.3, "min_delta": 0.1}
CLASSES_WEIGH = {0: 3.0, 1: 0.5}
STEPS = EPOCHS * ROWS // SIZE
COSINE = {"warmup_target": 0.03, "warmup_steps": round(0.1 * STEPS)}
OF_KERAS = keras.losses.CategoricalCrossentropy
# what -> rows, changes of the sweep, more parameters of the trial, and what a script gives to `compile` and `fit`
TABLE = {
    "early stopping": (
        made(),
        {"training": Training(early_stopping=EarlyStopping(**STOP))},
        {},
        lambda: {"callbacks": [keras.callbacks.EarlyStopping(**STOP)]},
    ),
    "early stopping with restored weights": (
        made(),
        {"training": Training(early_stopping=EarlyStopping(**STOP, restore_best_weights=True))},
        {},
        lambda: {"callbacks": [keras.callbacks.EarlyStopping(**STOP, restore_best_weights=True)]},
    ),
    "plateau": (
        made(),
        {"training": Training(reduce_lr_on_plateau=ReduceLROnPlateau(**FALL))},
        {},
        lambda: {"callbacks": [keras.callbacks.ReduceLROnPlateau(**FALL)]},
    ),
    "cosine with warmup": (made(), {}, {"schedule": "cosine", "warmup": 0.1}, dict),
    "class weights": (
        made(),
        {"training": Training(class_weight=CLASSES_WEIGH)},
        {},
        lambda: {"class_weight": CLASSES_WEIGH},
    ),
    "sample weights": (made(weights=True), {}, {}, dict),
    "label smoothing": (
        made(one_hot=True),
        {**BY_LOSS, "loss_arguments": {"label_smoothing": 0.2}},
        {},
        lambda: {"loss": OF_KERAS(label_smoothing=0.2), "metrics": ()},
    ),
    "logits": (
        made(one_hot=True),
        {**BY_LOSS, "loss_arguments": {"from_logits": True}},
        {},
        lambda: {"loss": OF_KERAS(from_logits=True), "metrics": ()},
    ),
    "clipping": (made(), {}, {"optimizer": "sgd", "learning_rate": 0.5, "global_clipnorm": 0.1}, dict),
    "averaged weights": (
        made(),
        {},
        {"use_ema": True, "ema_momentum": 0.9},
        lambda: {"callbacks": [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]},
    ),
}


IN_LONG = ("early stopping", "label smoothing", "averaged weights", "clipping")  # a sibling of each stays in short


@pytest.mark.parametrize(
    ("data", "changes", "more", "of_keras"),
    [pytest.param(*each, id=name, marks=[pytest.mark.soak] * (name in IN_LONG)) for name, each in TABLE.items()],
)
def test_lanes_and_fit_give_the_curves_of_keras(data, changes, more, of_keras):
    params = {**USUAL, **more}
    activation = "linear" if "from_logits" in changes.get("loss_arguments", {}) else "softmax"
    spec = make_spec(model=ModelSpec("dense", "dense", {"activation": activation}), **changes)
    given = {name: value for name, value in params.items() if name not in ("schedule", "warmup")}
    if "schedule" in params:
        given["learning_rate"] = keras.optimizers.schedules.CosineDecay(0.0, STEPS - COSINE["warmup_steps"], **COSINE)
    expected = plain_fit(lambda: build(activation), data, given, **of_keras())
    for run in (lanes, fitted):
        result = run(spec, data, suggestions(params))[0]
        assert len(result.curve["loss"]) == len(expected.history["loss"])
        assert_same(result, expected, run.__name__)
