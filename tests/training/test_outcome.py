"""From what was trained to a result: its standard error, whose fault a failure is, and a score that rows contradict."""

import errno
import math
from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import DataError
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.training.outcome import (
    Failure,
    find_best_epoch,
    find_scored_epoch,
    has_diverged,
    is_out_of_memory,
    is_transient,
    make_curve,
    make_failure,
    make_result,
    trial_objective,
)
from keras_sweep.trial.comparison import find_doubts
from keras_sweep.trial.result import Seconds, Suggestion, TrialState
from keras_sweep.trial.row_scores import Kind
from tests.helpers.factory import accuracy_error, digits, make_spec
from tests.helpers.lane_trials import fitted, lanes, suggestions, user_spec, with_labels


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


OF_MEMORY = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"),
    RuntimeError("CUDA out of memory."),
    RuntimeError("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    type("OutOfMemoryError", (Exception,), {})("no room"),
    type("ResourceExhaustedError", (Exception,), {})("no room"),
    type("InternalError", (Exception,), {"__module__": "tensorflow.python.framework"})("Dst tensor: out of memory"),
    caused(ValueError("x"), caused(ValueError("y"), MemoryError())),
]
OF_THE_MACHINE = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.ETIMEDOUT, "no"),
    ConnectionResetError(),
    TimeoutError(),
]
OF_THE_TRIAL = [
    ValueError("out of memory"),  # a user's own words
    PermissionError(errno.EACCES, "no"),
    RuntimeError("INVALID_ARGUMENT"),
    KeyError("MemoryError"),
    caused(ValueError("x"), TypeError()),
]


@pytest.mark.parametrize("error", [*OF_MEMORY, *OF_THE_MACHINE, *OF_THE_TRIAL], ids=repr)
def test_disk_and_network_may_be_there_again_and_memory_and_a_trials_own_fault_stay(error):
    assert is_transient(error) == (error in OF_THE_MACHINE)
    assert is_out_of_memory(error) == (error in OF_MEMORY)


@pytest.mark.parametrize("train", [lanes, fitted])
def test_a_metric_that_the_model_never_updates_is_said_to_contradict_its_rows(train):
    data = with_labels(digits(64, 32), lambda y: (1 + y).astype(np.float32), classes=None)
    objective = Objective("val_mae", Goal.MINIMIZE)
    spec = user_spec("own_metrics", loss="mean_squared_error", metrics=("mae",), objective=objective)
    (result,) = train(spec, data, suggestions({"optimizer": "sgd", "learning_rate": 1e-3, "epochs": 1})).values()
    outputs = data.validation.x @ result.weights[0] + result.weights[1]
    assert result.value == 0 and result.stderr is None and result.scores is None
    assert result.rows_value == pytest.approx(np.abs(outputs[:, 0] - data.validation.y).mean(), rel=1e-5)
    (words,) = find_doubts("val_mae", [result])
    assert words.startswith("val_mae does not match the validation rows: trial 0 has 0.0000, but its outputs give ")


BEST = Objective("val_accuracy", Goal.MAXIMIZE, take_best=True)


def test_the_best_epoch_is_the_first_of_equals_and_one_without_a_value_is_none():
    nan = math.nan
    assert find_best_epoch(BEST, [0.1, 0.5, 0.5, 0.2]) == 2 and find_best_epoch(BEST, [nan, 0.1, nan]) == 2
    assert find_best_epoch(replace(BEST, goal=Goal.MINIMIZE), [3.0, 1.0, 2.0]) == 2
    late = replace(BEST, epochs_from=3)
    assert find_best_epoch(late, [0.9, 0.8, 0.1, 0.2]) == 4 and find_best_epoch(late, [0.9, 0.8, 0.3, 0.2]) == 3
    assert find_best_epoch(late, [0.1, 0.9]) == 2 and find_best_epoch(late, [0.1, 0.9, nan]) == 2  # none is late enough
    last = replace(BEST, take_best=False)
    assert (find_scored_epoch(BEST, [0.9, 0.1], 2), find_scored_epoch(last, [0.9, 0.1], 1)) == (1, 1)
    assert find_scored_epoch(last, [0.9, 0.1]) == 2


def test_a_finalist_trains_the_epochs_that_were_read_off_a_curve_and_its_last_one_counts():
    reads = replace(BEST, epochs_from=1)
    first, again = Suggestion(0, {}), Suggestion(7, {}, recipe=0)
    assert not trial_objective(reads, again).take_best
    assert trial_objective(reads, first) == reads and trial_objective(reads, first).take_best
    assert (
        trial_objective(BEST, again).take_best and not trial_objective(replace(BEST, take_best=False), first).take_best
    )


def test_a_curve_has_every_metric_that_an_epoch_logged_and_diverges_where_one_is_no_number():
    curve = make_curve([{"loss": 1.0}, {"loss": 0.5, "late": 2.0}])
    assert list(curve) == ["loss", "late"] and curve["loss"] == (1.0, 0.5)
    assert math.isnan(curve["late"][0]) and curve["late"][1] == 2.0
    assert has_diverged({"a": 1.0, "b": math.nan}) and has_diverged({"a": -math.inf})
    assert not has_diverged({"a": 1.0}) and not has_diverged({})


SHARE = np.array([1.0, 1.0, 1.0, 0.0])
OUTPUTS = np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]
ROWS = Rows(np.zeros((4, 2), np.float32), np.array([0, 1, 1, 1]))


def result_of(value=0.75, *, predict=lambda: OUTPUTS, rows=ROWS, spec=None, model=pytest.fail, asked=None, **more):
    curve = {"val_accuracy": (0.5, value, 0.25), "val_loss": (2.0, 1.0, 3.0)}
    about = {"curve": curve, "epoch": 2, "weights": (np.zeros((64, 10)), np.zeros(10)), "seconds": Seconds(train=2.0)}
    asked = asked or Suggestion(3, {"epochs": 3})
    return make_result(spec or make_spec(), asked, rows=rows, predict=predict, model=model, **{**about, **more})


def test_a_result_has_the_value_of_its_scored_epoch_and_a_bit_a_row():
    result = result_of()
    assert (result.state, result.value, result.epoch, result.reason) == (TrialState.COMPLETE, 0.75, 2, None)
    assert result.scores.values().tolist() == SHARE.tolist() and result.scores.kind is Kind.BITS
    assert result.stderr == pytest.approx(accuracy_error(0.75, 4)) and not result.reads_epochs
    known = result_of(right=SHARE.astype(bool), predict=pytest.fail)  # what the runner knows needs no outputs
    assert known.scores.values().tolist() == SHARE.tolist()
    asked = []
    result_of(0.62, right=SHARE.astype(bool), predict=lambda: asked.append(1) or OUTPUTS)  # of another epoch
    assert asked == [1]


def test_rows_that_weigh_unlike_count_for_more_than_right_or_wrong():
    weighed = replace(ROWS, weights=np.array([2.0, 1.0, 0.5, 0.5], np.float32))
    result = result_of(0.875, rows=weighed, right=SHARE.astype(bool))
    assert result.scores.kind is Kind.VALUES and result.scores.values().mean() == pytest.approx(0.875)


def test_a_pruned_trial_has_scores_of_rows_only_where_its_best_epoch_may_win():
    pruned = result_of(pruned_at=3)
    assert (pruned.state, pruned.reason, pruned.value) == (TrialState.PRUNED, "pruned at epoch 3", 0.75)
    assert pruned.scores is None and pruned.stderr is not None
    assert result_of(pruned_at=3, spec=make_spec(take_best=True)).scores is not None
    of_training = make_spec(objective=Objective("accuracy", Goal.MAXIMIZE))
    assert result_of(spec=of_training, curve={"accuracy": (0.5, 0.75)}).scores is None


def test_rows_that_contradict_a_value_say_what_they_are_and_leave_no_error():
    result = result_of(0.95)
    assert (result.rows_value, result.stderr, result.scores) == (0.75, None, None)

    def broken():
        raise ValueError("a layer that is called once more")

    without = result_of(predict=broken)
    assert (without.value, without.scores, without.rows_value) == (0.75, None, None)
    assert without.stderr == pytest.approx(accuracy_error(0.75, 4))  # of a share no outputs are needed


def test_only_a_trial_of_the_search_reads_its_epochs_off_the_curve():
    reads = make_spec(objective=replace(BEST, epochs_from=1))
    assert result_of(spec=reads).reads_epochs and result_of(spec=reads).params["epochs"] == 2
    assert not result_of(spec=reads, asked=Suggestion(7, {"epochs": 2, "seed": 43}, recipe=3)).reads_epochs


def goals(*names):
    further = tuple(Objective(name, Goal.MINIMIZE) for name in names)
    return make_spec(objective=Objective("val_accuracy", Goal.MAXIMIZE, further=further))


def test_a_trial_without_a_value_of_a_further_goal_fails_and_says_which():
    fine = result_of(spec=goals("parameters", "val_loss", "train_seconds"))
    assert (fine.measured, fine.goal("val_loss"), fine.goal("train_seconds")) == ({"parameters": 650}, 1.0, 2.0)
    missing = result_of(spec=goals("val_auc"))
    assert (missing.state, missing.value) == (TrialState.FAIL, None)
    assert missing.reason == "the goal 'val_auc' has no finite value; logged were ['val_accuracy', 'val_loss']"

    def broken():
        raise ValueError("this model can't be had")

    broke = result_of(spec=goals("predict_seconds"), model=broken)
    assert broke.state is TrialState.FAIL and "this model can't be had" in broke.reason
    assert broke.seconds.train == 2.0 and broke.curve["val_loss"] == (2.0, 1.0, 3.0)


def test_a_failure_says_what_was_raised_without_colours_and_its_end():
    error = caused(DataError("\x1b[31mno rows\x1b[0m", hint="Give some"), TimeoutError())
    failure = Failure.from_error(error)
    assert failure.reason.startswith("no rows") and failure.is_transient
    assert "\x1b" not in failure.traceback and failure.traceback.startswith("TimeoutError")
    long = Failure.from_error(ValueError("x" * 30_000))
    assert len(long.traceback) == 20_000 and not long.is_transient
    result = make_failure(Suggestion(3, {}, sampler_seconds=0.5), failure)
    assert (result.state, result.value, result.curve, result.seconds.sampler) == (TrialState.FAIL, None, {}, 0.5)
    assert (result.reason, result.traceback, result.is_transient) == (failure.reason, failure.traceback, True)
    large = make_failure(Suggestion(3, {}), Failure.from_error(MemoryError("8 TiB")))
    assert large.reason == "out of memory: MemoryError: 8 TiB" and large.is_out_of_memory and not large.is_transient
    kept = make_failure(Suggestion(3, {}), failure, {"loss": (1.0,)}, Seconds(train=2.0))
    assert (kept.curve, kept.seconds.train) == ({"loss": (1.0,)}, 2.0)
