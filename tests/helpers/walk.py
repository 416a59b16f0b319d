"""What the walks through Keras share: small data, how a model trains, and a trial's numbers beside a script's."""

import numpy as np

from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.lanes.flat import can_use_flat_layout
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.trial.plan import training_plan
from tests.helpers.factory import make_spec
from tests.helpers.keras_catalogue import BINARY, CLASSES, NUMBERS, ONE_HOT, SPARSE
from tests.helpers.lane_trials import FOLDER, suggestions, train

WHOLE = (48, 32)  # rows, and how many of them train: whole batches of 8
SHORT = (50, 28)  # both splits end in a short batch, which is a program more to compile
BY_LOSS = Objective("val_loss", Goal.MINIMIZE)


def rows(width, labels=SPARSE, sizes=SHORT):
    """Numbers between zero and one, and labels that they tell."""
    count, trained = sizes
    x = np.random.default_rng(0).uniform(size=(count, width)).astype(np.float32)
    first = x[:, :CLASSES]
    y = {
        SPARSE: lambda: first.argmax(1),
        ONE_HOT: lambda: np.eye(CLASSES, dtype=np.float32)[first.argmax(1)],
        BINARY: lambda: (first[:, 0] > 0.5).astype(np.int64),
        NUMBERS: lambda: first.sum(1) + 0.5,
    }[labels]()
    classes = {SPARSE: CLASSES, ONE_HOT: CLASSES, BINARY: 2, NUMBERS: None}[labels]
    return SearchData("walk", Rows(x[:trained], y[:trained]), Rows(x[trained:], y[trained:]), "none", classes)


def spec_of(source, arguments, *, loss="sparse_categorical_crossentropy", metrics=()):
    model = ModelSpec("python", source, arguments)
    return make_spec(folder=FOLDER, model=model, loss=loss, metrics=tuple(metrics), objective=BY_LOSS)


def trained(spec, data, trials):
    """Results of these trials in lanes; and (whether one goes at a time, whether flat, whether rows stand alone)."""
    runner = CompiledRunner(spec, data)
    results = train(runner, suggestions(*trials))
    signature = make_signature(training_plan(spec, trials[0]))
    programs = runner._programs
    template = programs.get_template(signature)
    return results, (
        template.has_convolution,
        can_use_flat_layout(template),
        programs.can_use_any_batch_size(signature),
    )


def assert_same(result, expected, about, *, validation=True, rtol=1e-5, weights=2e-5):
    """A trial's curve and weights beside those of a script."""
    assert result.reason is None, f"{about}: {result.reason}"
    for name, curve in expected.history.items():
        if name in result.curve and (validation or not name.startswith("val_")):
            np.testing.assert_allclose(result.curve[name], curve, rtol=rtol, atol=1e-6, err_msg=f"{name} of {about}")
    for ours, theirs in zip(result.weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=weights, rtol=1e-4, err_msg=f"weights of {about}")
