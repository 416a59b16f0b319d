"""The baseline: what scikit-learn's linear model by stochastic gradient descent reaches on the same rows."""

import os
import time
import warnings
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array
from keras_sweep.data.raw_rows import rows_in_order
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import DataError
from keras_sweep.record.facts import Baseline
from keras_sweep.space.sweep_spec import SweepSpec

FOLDS = 5  # the default of scikit-learn's `cross_validate`
PASSES = 5  # over the training rows: `max_iter`
SEED = 42
MOST_THREADS = 2  # each holds a copy of its fold's rows
# What is expected: five passes do not converge, and a class may have fewer rows than there are folds.
QUIET: Any = {"action": "ignore", "category": UserWarning}


def fit_baseline(spec: SweepSpec, data: SearchData) -> Baseline:
    """Cross-validate the reference model, then fit it on the training rows and score it on the validation rows.

    Cross-validation takes training and validation rows together; it never sees a test row.

    Raises DataError: labels have several columns of numbers, or a class has too few rows for the folds.
    """
    from joblib import parallel_config  # type: ignore[import-untyped]
    from sklearn import config_context
    from sklearn.linear_model import SGDClassifier, SGDRegressor
    from sklearn.model_selection import cross_validate
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not all(isinstance(array, np.ndarray) for array in data.train.arrays):
        raise DataError("the baseline is a linear model from one array of inputs to one output, and there are several")
    started = time.perf_counter()
    model: Any = SGDClassifier(loss="log_loss", max_iter=PASSES, random_state=SEED)
    metric, text = "accuracy", str(model)
    rows = rows_in_order(spec, data)
    if data.classes is None:
        regressor = SGDRegressor(random_state=SEED)
        model, metric, text = make_pipeline(StandardScaler(), regressor), "r2", f"StandardScaler + {regressor}"
    x, y = _flat(rows.x), _target(rows.y, data)
    threads = min(FOLDS, os.cpu_count() or 1, MOST_THREADS)
    with config_context(enable_metadata_routing=data.weighs):  # by which scikit-learn hands weights on
        if data.weighs:
            for _, step in getattr(model, "steps", [("", model)]):
                step.set_fit_request(sample_weight=True)
            step.set_score_request(sample_weight=True)
        try:
            # Threads, because the passes run without the GIL and the rows then need not be copied to other processes.
            with warnings.catch_warnings(**QUIET), parallel_config("threading", n_jobs=threads):
                scores = cross_validate(model, x, y, cv=FOLDS, params=_weights(rows))["test_score"]
        except ValueError as error:
            why = str(error).rstrip(".")
            raise DataError(f"the baseline can't be cross-validated: {why}", hint="Bring more rows") from error
        validation = _validated(model, data)
    each, seconds = tuple(map(float, scores)), time.perf_counter() - started
    return Baseline(text, metric, each, validation, seconds, mean_score=float(np.mean(each)))


def _validated(model: Any, data: SearchData) -> dict[str, float]:
    """Scores on the validation rows; with folds on all rows, each predicted by the fit that left it out."""
    y = _target(data.validation.y, data)
    weights: Any = data.validation.weights
    predicted = np.empty(len(y), np.float64)
    folds = ((data.fold(index), fold.held) for index, fold in enumerate(data.folds))
    for part, places in folds if data.folds else [(data, np.arange(len(y), dtype=np.int32))]:
        with warnings.catch_warnings(**QUIET):
            model.fit(_flat(part.train.x), _target(part.train.y, data), **_weights(part.train))
        predicted[places] = model.predict(_flat(part.validation.x))
    if data.classes is None:
        errors = predicted - y.astype(np.float64)
        squared, absolute = (float(np.average(each, weights=weights)) for each in (errors**2, np.abs(errors)))
        return {"val_mean_squared_error": squared, "val_mean_absolute_error": absolute}
    return {"val_accuracy": float(np.average(predicted == y, weights=weights))}


def _weights(rows: Rows) -> dict[str, Array]:
    return {} if rows.weights is None else {"sample_weight": rows.weights}


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def _target(y: Array, data: SearchData) -> Array:
    if y.size == len(y):
        return y.reshape(-1)
    if data.classes is None:
        raise DataError(
            f"the baseline predicts one number a row, but the labels have {y.shape[1]} columns",
            hint="Only labels of one column have a baseline",
        )
    return np.asarray(y.argmax(axis=1))
