"""Load the rows of a data set, a space file or a sweep by name. Score a linear model on rows as a baseline."""

import json
import os
import shlex
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array
from keras_sweep.data.catalog import load_search_data, make_set_spec, select_variant
from keras_sweep.data.raw_rows import rows_in_order
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.source import DATA_NAMES, unknown_name
from keras_sweep.errors import DataError, UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.process.user_objects import is_object_name
from keras_sweep.record.facts import Baseline
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import all_sweeps
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize
from keras_sweep.space.variants import get_variant
from keras_sweep.sweep.trust import read_unfollowed_spec
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import winner

FOLDS = 5  # default of scikit-learn's `cross_validate`
PASSES = 5  # over the training rows (`max_iter`)
SEED = 42
MOST_THREADS = 2  # each thread copies the rows of its fold
# Two warnings are expected: five passes do not converge, and a class may have fewer rows than folds.
QUIET: Any = {"action": "ignore", "category": UserWarning}


def load_source(
    source: str, spec: SweepSpec | None, sweeps_dir: Any, listener: Listener, *, needs_one: bool
) -> tuple[SweepSpec, SearchData]:
    """Load the spec and the rows of a data set or sweep named `source`. If `spec` is not None, load its rows instead.

    If data options are searched, trials have different rows: return the winner's. If no trial has won, raise UsageError
    if `needs_one`, else return the rows of the first options. `sweeps_dir` is the folder of sweeps (None: the default).
    Raises UsageError if the name is unknown or a sweep's rows come from code or a server, DataError if rows can't be
    read.
    """
    fingerprint: str | None = None
    params: Params = {}
    if spec is None:
        spec, fingerprint, params = _find_spec(source, sweeps_dir, listener)
    data = load_rows(spec)
    if spec.function:
        raise UsageError(f"{source} has an objective function, and no rows")
    if fingerprint not in (None, data.fingerprint):
        listener(Noticed(f"the rows have changed since the sweep {source!r} started"))
    if data.variants:
        variant = dict(get_variant(params) or next(iter(data.variants)))
        if needs_one and not params:
            first = "For example add" if fingerprint is None else "No trial has won yet. Name the space file, with"
            hint = f"{first} `{_format_options(variant)}`"
            raise UsageError(f"the trials have different rows, which depend on {itemize(variant)}", hint=hint)
        values = ", ".join(f"{name}={json.dumps(value)}" for name, value in variant.items())
        listener(Noticed(f"the rows depend on {itemize(variant)}: these are the rows for {values}"))
        spec, data = select_variant(spec, data, variant)
    return spec, data


def load_rows(spec: SweepSpec) -> SearchData:
    choose_backend(None)  # before a loader imports Keras
    return load_search_data(spec)


def _format_options(params: Params) -> str:
    """Return parameters as `--set` options. A tuple becomes {"value": [...]}, since a plain list would mean choices."""
    plain = {name: {"value": value} if isinstance(value, tuple) else value for name, value in params.items()}
    return " ".join(f"--set {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in plain.items())


def _find_spec(source: str, sweeps_dir: Any, listener: Listener) -> tuple[SweepSpec, str | None, Mapping[str, Any]]:
    """Find the data set or sweep `source`. Return (spec, recorded fingerprint or None, winner's parameters or {})."""
    sweeps = {folder.name: folder for folder in all_sweeps(sweeps_dir)}
    if source not in sweeps:
        if source not in DATA_NAMES:
            raise unknown_name(source, list(sweeps))
        return make_set_spec(source), None, {}
    if source in DATA_NAMES:
        listener(Noticed(f"{source!r} is a sweep and a data set: these are the rows of the sweep"))
    with StudyFile.open(sweeps[source]) as study:
        spec = read_unfollowed_spec(study.facts, study.name, study.folder)
        fingerprint, best = study.facts.fingerprint, winner(study.load_results(), spec.objective)
    if is_object_name(spec.data.source):
        raise UsageError(
            f"the rows of the sweep {source!r} come from a Python program, and its record does not keep them",
            hint=f"In that program call `sweep = ks.run(spec, name={source!r})`: `sweep.validation()` returns the rows",
        )
    kind = find_source(spec.data.kind)
    origin = f"`python: {spec.data.source}`" if kind.names == "function" else kind.server(spec.data)
    if origin is not None:
        raise UsageError(
            f"the rows of the sweep {source!r} come from {origin}, and `sweep` runs no code that only a record names",
            hint="Name the space file: `sweep data SPACE.yaml`",
        )
    return spec, fingerprint, {} if best is None else best.params


def fit_baseline(spec: SweepSpec, data: SearchData) -> Baseline:
    """Cross-validate a linear model on training and validation rows, then score it on the validation rows.

    For this score, the model is fitted on the training rows. No test row is used. Raises DataError if the data have
    several inputs, labels have several columns of numbers, or a class has too few rows for the folds.
    """
    from joblib import parallel_config  # type: ignore[import-untyped]
    from sklearn import config_context
    from sklearn.linear_model import SGDClassifier, SGDRegressor
    from sklearn.model_selection import cross_validate
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if spec.function or not all(isinstance(array, np.ndarray) for array in data.train.arrays):
        raise DataError("the baseline needs rows with a single array of inputs and a single output")
    started = time.perf_counter()
    model: Any = SGDClassifier(loss="log_loss", max_iter=PASSES, random_state=SEED)
    metric, text = "accuracy", str(model)
    rows = rows_in_order(spec, data)
    if data.classes is None:
        regressor = SGDRegressor(random_state=SEED)
        model, metric, text = make_pipeline(StandardScaler(), regressor), "r2", f"StandardScaler + {regressor}"
    x, y = rows.x.reshape(len(rows), -1), _get_target(rows.y, data)
    threads = min(FOLDS, os.cpu_count() or 1, MOST_THREADS)
    with config_context(enable_metadata_routing=data.weighs):  # lets `cross_validate` use row weights
        if data.weighs:
            for _, step in getattr(model, "steps", [("", model)]):
                step.set_fit_request(sample_weight=True)
            step.set_score_request(sample_weight=True)
        try:
            # The passes release the GIL, so threads run in parallel and need no copy of the rows in a process.
            with warnings.catch_warnings(**QUIET), parallel_config("threading", n_jobs=threads):
                scores = cross_validate(model, x, y, cv=FOLDS, params=_fit_arguments(rows))["test_score"]
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise DataError(f"the baseline can't be cross-validated: {reason}", hint="Add more rows") from error
        validation = _score_validation(model, data)
    fold_scores, seconds = tuple(map(float, scores)), time.perf_counter() - started
    return Baseline(text, metric, fold_scores, validation, seconds, mean_score=float(np.mean(fold_scores)))


def _score_validation(model: Any, data: SearchData) -> dict[str, float]:
    """Fit `model` on the training rows, and return {metric: score} on the validation rows. With folds, each row is
    predicted by the fit that left this row out."""
    y = _get_target(data.validation.y, data)
    weights: Any = data.validation.weights
    predicted = np.empty(len(y), np.float64)
    parts: Any = [(data.fold(index), fold.held) for index, fold in enumerate(data.folds)] or [(data, slice(None))]
    for part, places in parts:
        with warnings.catch_warnings(**QUIET):
            x = part.train.x.reshape(len(part.train), -1)
            model.fit(x, _get_target(part.train.y, data), **_fit_arguments(part.train))
        predicted[places] = model.predict(part.validation.x.reshape(len(part.validation), -1))
    if data.classes is None:
        errors = predicted - y.astype(np.float64)
        squared, absolute = (float(np.average(error, weights=weights)) for error in (errors**2, np.abs(errors)))
        return {"val_mean_squared_error": squared, "val_mean_absolute_error": absolute}
    return {"val_accuracy": float(np.average(predicted == y, weights=weights))}


def _fit_arguments(rows: Rows) -> dict[str, Array]:
    return {} if rows.weights is None else {"sample_weight": rows.weights}


def _get_target(y: Array, data: SearchData) -> Array:
    if y.size == len(y):
        return y.reshape(-1)
    if data.classes is None:
        raise DataError(f"the baseline predicts a single number per row, but the labels have {y.shape[1]} columns")
    return np.asarray(y.argmax(axis=1))
