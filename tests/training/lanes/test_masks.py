"""Lanes leave masked labels out of losses and metrics as `fit` does: all masked ones in validation, by batches."""

from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.build_trial import has_masks, output_masks
from keras_sweep.training.lanes.lane_support import why_not_lanes
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.trial.plan import training_plan
from tests.helpers import masked_models
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import FOLDER, assert_as_fit, fitted, lanes, suggestions, with_weights
from tests.helpers.plain_fit import plain_fit

DATA = masked_models.tagged_words()
TRIALS = tuple({"optimizer": "sgd", "learning_rate": rate, "epochs": 2, "batch_size": 8} for rate in (0.5, 0.2))
PASSING = masked_models.list_passing_layers()
RECURRENT = [name for name in PASSING if name in masked_models.SEQUENCES or name == "Bidirectional"]
TOGETHER = [name for name in PASSING if name not in RECURRENT]


def spec_of(function, **arguments):
    return make_spec(folder=FOLDER, model=ModelSpec("python", f"masked_models:{function}", arguments))


def row_by_row(spec, data, **params):
    return Programs(spec, data).can_use_any_batch_size(make_signature(training_plan(spec, {**TRIALS[0], **params})))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("of_words", {"names": "+".join(TOGETHER[::2])}),
        ("of_words", {"names": "+".join(TOGETHER[1::2])}),
        ("of_words", {"names": "+".join(RECURRENT)}),
        ("of_words", {"names": "Dense+OwnMask", "joins": "Concatenate"}),
        ("nested", {}),
        ("of_numbers", {}),
        ("subclassed", {}),
        *(pytest.param("of_words", {"names": name}, marks=pytest.mark.soak) for name in PASSING),
    ],
)
def test_models_with_masks_have_the_numbers_of_fit(function, arguments):
    spec = spec_of(function, **arguments)
    assert why_not_lanes(spec, DATA) is None
    assert not row_by_row(spec, DATA)
    ours = assert_as_fit(spec, DATA, suggestions(*TRIALS))
    plain = plain_fit(lambda: getattr(masked_models, function)(**arguments), DATA, TRIALS[0])
    for name, curve in plain.history.items():
        np.testing.assert_allclose(ours[0].curve[name], curve, rtol=1e-5, atol=1e-6, err_msg=name)


def test_many_layers_pass_masks_on():
    assert len(PASSING) > 30 and {"LSTM", "TimeDistributed", "MultiHeadAttention", "BatchNormalization"} <= set(PASSING)


@pytest.mark.parametrize("name", PASSING)
def test_a_mask_is_known_to_be_there_without_a_call_of_the_model(name):
    model = masked_models.of_words(name)
    mask = model(DATA.validation.x)._keras_mask is not None if name else None
    assert has_masks(model, DATA.validation.x) == mask


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_a_loss_that_is_no_mean_over_rows_is_computed_in_the_batches_of_fit(reduction):
    data = with_weights(digits(60, 50))
    spec = make_spec(loss_arguments={"reduction": reduction})
    assert not row_by_row(spec, data) and row_by_row(make_spec(loss_arguments={"ignore_class": 3}), data)
    assert_as_fit(spec, data, suggestions(*({**trial, "learning_rate": 0.01} for trial in TRIALS)))


def test_a_searched_reduction_is_seen_too():
    reductions = Parameter("loss.reduction", Categorical(("sum", "sum_over_batch_size", "mean")))
    spec = make_spec(space=replace(make_spec().space, parameters=(*make_spec().space.parameters, reductions)))
    found = [row_by_row(spec, digits(60, 50), **{"loss.reduction": name}) for name in reductions.distribution.choices]
    assert found == [False, True, True]


def test_steps_of_a_sum_have_no_padding():
    """Trials with unequal batches may share steps, whose further rows have weight 0: a mean allows for that."""
    sizes = Parameter("batch_size", Categorical((8, 16)))
    space = replace(make_spec().space, parameters=(*make_spec().space.parameters, sizes))
    spec = make_spec(space=space, loss_arguments={"reduction": "sum"})
    trials = [{**TRIALS[0], "learning_rate": 0.01, "batch_size": size} for size in (8, 16)]
    assert_as_fit(spec, digits(60, 50), suggestions(*trials))


@pytest.mark.parametrize("train", [lanes, fitted])
@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_masked_labels_are_in_no_score_of_a_row_and_in_no_error(train, metric):
    goal = Goal.MINIMIZE if metric == "val_loss" else Goal.MAXIMIZE
    spec = replace(spec_of("of_words", names="LSTM"), objective=Objective(metric, goal))
    result = train(spec, DATA, suggestions(TRIALS[0]))[0]
    scores = result.scores.values()
    assert scores.mean() == pytest.approx(result.value, rel=1e-4)
    assert result.stderr == pytest.approx(scores.std(ddof=1) / np.sqrt(len(scores)), rel=1e-3)
    model = masked_models.of_words("LSTM")
    model.set_weights(result.weights)
    outputs, inside = model.predict(DATA.validation.x, verbose=0), DATA.validation.x > 0
    np.testing.assert_array_equal(output_masks(model, DATA.validation.x), inside)
    if metric == "val_accuracy":
        right = (outputs.argmax(-1) == DATA.validation.y)[inside]
        assert result.value == pytest.approx(right.mean(), abs=1e-6)
    else:
        likely = np.take_along_axis(outputs, DATA.validation.y[..., None], -1)[..., 0]
        batches = [slice(start, start + 8) for start in range(0, 20, 8)]  # each loss is a mean over a batch's labels
        means = [-np.log(likely[rows][inside[rows]]).mean() for rows in batches]
        assert result.value == pytest.approx(np.average(means, weights=[8, 8, 4]), rel=1e-4)
