"""A trial trained once a fold: its numbers are those of plain fits on each fold's rows, joined over all rows."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import Training, UserCallback
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.folds import compute_validation_outputs, join_scores
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.result import Suggestion, TrialState
from tests.helpers import own_callbacks
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import (
    Watching,
    assert_as_fit,
    assert_same_bits,
    fitted,
    go_on,
    lanes,
    stopped,
    suggestions,
    train,
    with_weights,
)
from tests.helpers.plain_fit import dense, plain_fit

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "batch_size": 32}
TRIALS = suggestions(ADAM, {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 3, "batch_size": 32})
RUNNERS = {"lanes": CompiledRunner, "fit": FitRunner}


@pytest.fixture(scope="module")
def data(in_folds):
    return in_folds(3, 288)


def test_every_row_is_left_out_by_one_fold_and_each_class_is_shared_equally(data):
    assert sorted(np.concatenate([fold.held for fold in data.folds])) == list(range(288))
    for fold in data.folds:
        assert sorted(np.concatenate([fold.train, fold.held])) == list(range(288))
        shares = np.bincount(data.train.y[fold.held], minlength=10) / np.bincount(data.train.y, minlength=10)
        assert (np.abs(shares - 1 / 3) < 0.06).all()


def out_of_fold(build, data, **loss):
    """What models that a script trains on each fold's rows put out on the rows that they have not seen."""
    model = build()
    outputs = np.empty((len(data.train), *model.output_shape[1:]), np.float32)
    for index, fold in enumerate(data.folds):
        rows = data.fold(index)
        np.testing.assert_array_equal(rows.train.x, data.train.x[fold.train])
        model.set_weights(plain_fit(build, rows, ADAM, **loss).weights)
        outputs[fold.held] = model.predict(rows.validation.x, verbose=0)
    return outputs


def test_the_value_is_the_metric_over_out_of_fold_predictions_of_plain_fits(data):
    outputs = out_of_fold(dense, data)
    right = outputs.argmax(axis=1) == data.train.y
    loss = -np.log(outputs[np.arange(288), data.train.y]).mean()
    for runner in RUNNERS.values():
        result = train(runner(make_spec(), data), TRIALS[:1])[0]
        assert result.value == right.mean()
        assert result.metrics["val_loss"] == pytest.approx(loss, rel=1e-5)
        np.testing.assert_array_equal(result.scores.values(), right)  # in the order of the rows
        assert result.stderr == pytest.approx(np.sqrt(right.mean() * (1 - right.mean()) / 288), rel=0.05)


@pytest.mark.parametrize("runner", ["lanes", pytest.param("fit", marks=pytest.mark.soak)])
def test_rows_that_weigh_unlike_do_so_over_out_of_fold_predictions(data, runner):
    weighed = with_weights(data)
    weights, outputs = weighed.train.weights, out_of_fold(dense, weighed)
    right = outputs.argmax(axis=1) == data.train.y
    loss = -np.log(outputs[np.arange(288), data.train.y])
    result = train(RUNNERS[runner](make_spec(), weighed), TRIALS[:1])[0]
    assert result.value == pytest.approx(np.average(right, weights=weights), rel=1e-6)
    assert result.metrics["val_loss"] == pytest.approx((loss * weights).mean(), rel=1e-5)
    assert result.scores.values().mean() == pytest.approx(result.value, rel=1e-5)


@pytest.mark.soak
def test_lanes_have_the_numbers_of_fit_where_folds_are_of_unequal_size(in_folds):
    assert_as_fit(make_spec(), in_folds(2, 101), TRIALS)  # 50 or 51 rows


def test_the_best_epoch_is_that_of_the_joint_curve(data):
    trials = suggestions({**ADAM, "learning_rate": 0.4, "epochs": 6, "batch_size": 32})
    spec = make_spec(objective=Objective("val_loss", Goal.MINIMIZE, take_best=True))
    result = assert_as_fit(spec, data, trials)[0]
    assert result.value == min(result.curve["val_loss"])
    assert result.epoch < 6  # else this shows nothing


def test_a_rung_compares_trials_by_their_rows_of_all_folds(in_folds):
    data = in_folds(2, 288)
    watch, again = (Watching((1, 2), stop_below=0.3) for _ in range(2))
    trials = suggestions(*({**ADAM, "learning_rate": rate, "batch_size": 8} for rate in (0.05, 1e-4)))
    ours, theirs = lanes(make_spec(), data, trials, watch), train(FitRunner(make_spec(), data), trials, again)
    assert (ours[0].state, ours[1].state) == (TrialState.COMPLETE, TrialState.PRUNED)
    for number, result in theirs.items():
        assert (result.state, result.epochs) == (ours[number].state, ours[number].epochs)
        assert result.value == pytest.approx(ours[number].value)
    assert again.epochs == [(0, 1), (0, 2), (1, 1)]  # its folds train no further


ERROR = make_spec(loss="mean_squared_error", metrics=("mae",), objective=Objective("val_loss", Goal.MINIMIZE))


@pytest.fixture(scope="module")
def numbers(data):
    targets = replace(data.train, y=(data.train.y / 10).astype(np.float32))
    return replace(data, train=targets, validation=targets, classes=None)


def test_an_error_is_that_of_all_rows(numbers):
    results = assert_as_fit(ERROR, numbers, suggestions({**ADAM, "learning_rate": 0.003}))
    assert results[0].value == pytest.approx(results[0].scores.values().mean(), rel=1e-5)


def test_a_trial_diverges_where_one_of_its_folds_does(numbers):
    y = numbers.train.y.copy()
    y[numbers.folds[2].held] = 1e30  # in the training rows of the other folds; their square is no number of 32 bits
    rows = replace(numbers.train, y=y)
    wild = replace(numbers, train=rows, validation=rows)
    for result in (lanes(ERROR, wild, suggestions(ADAM))[0], fitted(ERROR, wild, suggestions(ADAM))[0]):
        assert (result.state, result.reason) == (TrialState.FAIL, "diverged")


def test_lanes_that_were_stopped_go_on_to_the_same_bits(data, tmp_path):
    whole = lanes(make_spec(), data, TRIALS)
    done = stopped(CompiledRunner, make_spec(), data, tmp_path, TRIALS, 2)
    assert_same_bits(go_on(CompiledRunner, make_spec(), data, tmp_path, TRIALS, done), whole)


def test_a_promoted_trial_goes_on_where_all_of_its_folds_were(data):
    more = [*TRIALS[:1], Suggestion(1, {**ADAM, "epochs": 4}, generation=1, continues=0)]
    runner = CompiledRunner(make_spec(), data, keep_states=True)
    train(runner, more[:1])
    assert not runner.missing(more[1:])
    (promoted,) = train(runner, more[1:]).values()
    whole = lanes(make_spec(), data, suggestions({**ADAM, "epochs": 4}))[0]
    assert promoted.curve == whole.curve
    for mine, other in zip(promoted.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(mine, other)


class StopsIn(Watching):
    """Asks to stop at a phase."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def stopping(self) -> bool:
        return any(self.words in name for name, *_ in self.phases)


def test_by_fit_too_and_no_epoch_is_trained_twice(data, tmp_path):
    spec, trials, watch = make_spec(take_best=True), TRIALS[1:], Watching()
    whole = train(FitRunner(spec, data), trials)
    done = stopped(FitRunner, spec, data, tmp_path, trials, 2)
    assert_same_bits(go_on(FitRunner, spec, data, tmp_path, trials, done, watch), whole)
    assert watch.epochs == [(1, 2), (1, 3)]  # where it stood, and what it trained


def test_folds_that_cant_train_in_step_train_one_by_one_to_the_same_bits_and_begin_anew(data, tmp_path):
    callbacks = (UserCallback("own_callbacks:nothing"),)
    spec = make_spec(folder=Path(own_callbacks.__file__).parent, training=Training(callbacks=callbacks))
    whole, watches = train(FitRunner(make_spec(), data), TRIALS[:1]), [StopsIn("fold 2 of 3, epoch 1"), Watching()]
    assert not train(FitRunner(spec, data, checkpoints=tmp_path), TRIALS[:1], watches[0])
    assert not list(tmp_path.iterdir())
    assert_same_bits(train(FitRunner(spec, data, checkpoints=tmp_path), TRIALS[:1], watches[1]), whole)
    assert watches[1].epochs == [(0, 1), (0, 2)]


@pytest.mark.parametrize("metric", ["auc", pytest.param("recall", marks=pytest.mark.soak)])
def test_a_metric_of_all_rows_is_taken_over_out_of_fold_predictions_of_plain_fits(data, metric):
    one = (data.train.y > 4).astype(np.float32)[:, None]
    pairs = replace(data, train=replace(data.train, y=one), validation=replace(data.train, y=one), classes=None)

    def logistic():
        return keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(1, activation="sigmoid")])

    pairs = with_weights(pairs) if metric == "auc" else pairs
    spec = make_spec(
        loss="binary_crossentropy", metrics=("accuracy", metric), objective=Objective(f"val_{metric}", Goal.MAXIMIZE)
    )
    runner, why = choose_runner(spec, pairs, None)
    result = train(runner, TRIALS[:1])[0]
    of_all = keras.metrics.get(metric)
    outputs = out_of_fold(logistic, pairs, loss="binary_crossentropy")
    of_all.update_state(one, outputs, sample_weight=pairs.train.weights)
    assert result.value == pytest.approx(np.asarray(of_all.result()).item(), abs=1e-6)
    assert "needs the models' outputs after every epoch" in why


def test_a_score_is_joined_by_how_many_rows_each_fold_leaves_out_or_what_they_weigh():
    rows = [np.array([0, 1, 2]), np.array([3])]
    weights = np.array([1, 1, 2, 12], np.float32)
    assert join_scores("val_mae", [1.0, 5.0], rows, None) == pytest.approx(2.0)
    assert join_scores("val_mae", [1.0, 5.0], rows, weights) == pytest.approx((4 * 1 + 12 * 5) / 16)
    for loss in ("loss", "val_loss"):  # which Keras divides by the number of rows
        assert join_scores(loss, [1.0, 5.0], rows, weights) == pytest.approx(2.0)
    of_trials = join_scores("val_mae", [np.array([1.0, 2.0]), np.array([5.0, 6.0])], rows, None)
    np.testing.assert_allclose(of_trials, [2.0, 3.0])
    assert of_trials.dtype == np.float64


@pytest.mark.parametrize("name", ["accuracy", "val_accuracy", "val_acc", "val_top_k_categorical_accuracy"])
def test_a_share_of_right_rows_is_that_of_their_count_whatever_float32_made_of_it(name):
    rows = [np.arange(3), np.arange(3, 10)]
    blurred = [float(np.float32(2 / 3)), float(np.float32(5 / 7))]
    assert join_scores(name, blurred, rows, None) == 0.7
    assert join_scores("val_mae", blurred, rows, None) != 0.7
    weights = np.full(10, 0.5, np.float32)
    assert join_scores(name, blurred, rows, weights) == pytest.approx(0.7)
    assert join_scores(name, blurred, rows, weights) != 0.7  # which weights have no count of
    assert join_scores(name, [0.5, 0.5], rows, None) == 0.5  # of pixels, not of rows
    near = [join_scores(name, [share], [np.arange(100)], None) for share in (0.50009, 0.50012, 0.49991)]
    assert near == [0.5, 0.50012, 0.5]


def test_each_fold_says_what_its_own_weights_make_of_the_rows_that_it_left_out(data):
    model, draw = dense(), np.random.default_rng(0)
    weights = tuple(draw.normal(size=array.shape) for _ in data.folds for array in model.get_weights())
    outputs = compute_validation_outputs(make_spec(), ADAM, weights, data)
    for index, fold in enumerate(data.folds):
        model.set_weights(list(weights[2 * index : 2 * index + 2]))
        np.testing.assert_allclose(outputs[fold.held], model.predict(data.train.x[fold.held], verbose=0), atol=1e-6)
    said = []
    compute_validation_outputs(make_spec(), ADAM, weights, data, lambda model, x: said.append(x.shape) or x)
    assert said == [(len(fold.held), 64) for fold in data.folds]


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("folds", [True, False], ids=["folds", "one split"])
def test_the_model_of_a_trial_is_that_of_its_first_fold_and_takes_the_rows_that_it_left_out(
    data, runner, folds, monkeypatch
):
    models = []
    monkeypatch.setattr("keras_sweep.training.outcome.count_flops", lambda *given: models.append(given) or 1.0)
    objective = Objective("val_accuracy", Goal.MAXIMIZE, further=(Objective("flops", Goal.MINIMIZE),))
    rows = data if folds else digits(64, 32)
    (result,) = train(RUNNERS[runner](make_spec(objective=objective), rows), TRIALS[:1]).values()
    ((model, x),) = models
    assert len(result.weights) == (6 if folds else 2)
    assert [array.tobytes() for array in model.get_weights()] == [array.tobytes() for array in result.weights[:2]]
    np.testing.assert_array_equal(x, data.train.x[data.folds[0].held] if folds else rows.validation.x)
    assert type(model.optimizer) is keras.optimizers.Adam
