"""From what was trained to a result: its standard error, whose fault a failure is, and a score that rows contradict."""

import errno
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.record.reader import read_results
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.training.outcome import is_transient, standard_error
from keras_sweep.trial.comparison import doubts
from tests.helpers import several_parts
from tests.helpers.factory import accuracy_error, digits
from tests.helpers.lane_trials import fitted, lanes, suggestions, user_spec, with_labels
from tests.helpers.ran import ran_as
from tests.helpers.whole_spaces import SPACES


def test_an_accuracy_near_085_on_12000_rows_has_a_third_of_a_point():
    assert accuracy_error(0.85, 12_000) == pytest.approx(0.00326, abs=1e-5)


@pytest.mark.parametrize("rows", [24, 128, 12_000])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_perfect_share_is_as_uncertain_as_its_rows_are_few(share, rows):
    assert accuracy_error(share, rows) == pytest.approx(0.5 / (rows + 1))  # half of Wilson's interval


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.8458, 0.8571])
def test_away_from_the_ends_it_is_the_binomial_error(share):
    assert accuracy_error(share, 12_000) == pytest.approx(math.sqrt(share * (1 - share) / 12_000), rel=1e-4)


def test_an_unknown_metric_has_none():
    assert (
        standard_error("val_auc", "binary_crossentropy", 0.5, Rows(np.zeros(100), np.zeros(100)), pytest.fail) is None
    )


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error"])
def test_a_regression_loss_has_the_standard_error_of_its_rows_mean(loss):
    generator = np.random.default_rng(0)
    y, outputs = generator.normal(size=50), generator.normal(size=(50, 1))
    difference = y - outputs[:, 0]
    rows = difference**2 if loss == "mean_squared_error" else abs(difference)
    found = standard_error("val_loss", loss, 0.0, Rows(y, y), lambda: outputs)
    assert found == pytest.approx(rows.std(ddof=1) / math.sqrt(50))


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


OF_THE_MACHINE = [
    MemoryError(),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENOSPC, "No space left on device"),
    ConnectionResetError(),
    TimeoutError(),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"),
    RuntimeError("CUDA out of memory."),
    caused(ValueError("x"), MemoryError()),
]
OF_THE_TRIAL = [
    ValueError("no"),
    FileNotFoundError(errno.ENOENT, "no"),
    PermissionError(errno.EACCES, "no"),
    RuntimeError("INVALID_ARGUMENT"),
    caused(ValueError("x"), TypeError()),
]


@pytest.mark.parametrize("error", [*OF_THE_MACHINE, *OF_THE_TRIAL], ids=repr)
def test_memory_disk_and_network_may_be_there_again_and_a_trials_own_fault_stays(error):
    assert is_transient(error) == (error in OF_THE_MACHINE)


@pytest.mark.parametrize("train", [lanes, fitted])
def test_a_metric_that_the_model_never_updates_is_said_to_contradict_its_rows(train):
    data = with_labels(digits(64, 32), lambda y: (1 + y).astype(np.float32), classes=None)
    objective = Objective("val_mae", Goal.MINIMIZE)
    spec = user_spec("own_metrics", loss="mean_squared_error", metrics=("mae",), objective=objective)
    (result,) = train(spec, data, suggestions({"optimizer": "sgd", "learning_rate": 1e-3, "epochs": 1})).values()
    outputs = data.validation.x @ result.weights[0] + result.weights[1]
    assert result.value == 0 and result.stderr is None and result.scores is None
    assert result.rows_value == pytest.approx(np.abs(outputs[:, 0] - data.validation.y).mean(), rel=1e-5)
    (words,) = doubts("val_mae", [result])
    assert words.startswith("val_mae contradicts its rows: trial 0 has 0.0000, its outputs on those rows give ")


def test_a_metric_with_arguments_of_one_of_several_outputs_is_not_looked_for_in_its_rows(tmp_path):
    shutil.copy(Path(several_parts.__file__), tmp_path)
    name = "sparse_top_k_categorical_accuracy"
    text = (
        SPACES["several"].replace("[accuracy]", f"[{{name: {name}, k: 2}}]").replace("digit_accuracy", f"digit_{name}")
    )
    sweep = ran_as(tmp_path, "several", text + "finalists: none\n", trials=1)
    (trial,) = read_results(SweepFolder(sweep.path))
    assert trial.value > 0.1 and (trial.stderr, trial.rows_value, trial.scores_digest) == (None, None, None)
