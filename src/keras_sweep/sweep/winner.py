"""The winner's model, and what it scores on held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import Array, Rows, SearchData
from keras_sweep.process.backend import check_environment
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import compiled_model
from keras_sweep.training.call_model import predicted
from keras_sweep.training.compile_cache import enable_on_jax
from keras_sweep.training.fold_outputs import fold_outputs, weights_of_folds
from keras_sweep.training.standard_error import standard_error
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Weights


@dataclass(frozen=True, slots=True)
class TestScores:
    """What `evaluate()` gave on the sealed test rows."""

    __test__ = False  # not a test class, whatever its name begins with

    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy"
    stderrs: Mapping[str, float]  # of each score that has a formula: "accuracy"
    per_class: Mapping[str, float] | None  # class -> share of its rows that the model names right


def trained_model(spec: SweepSpec, result: Result, weights: Weights, data: SearchData) -> Any:
    """The trial's compiled `keras.Model` with the given weights; it takes rows as in `data.train.x`."""
    check_environment()
    enable_on_jax()
    model = compiled_model(spec, training_plan(spec, result.params), data)
    model.set_weights(list(weights))
    model.optimizer.build(model.trainable_variables)  # else loading its file warns of variables that are not there
    return model


def validation_outputs(
    spec: SweepSpec,
    result: Result,
    weights: Weights,
    data: SearchData,
    call: Callable[[Any, Array], Array] = predicted,
) -> npt.NDArray[np.floating]:
    """[N, ...] what the weights that earned a trial's value say of the validation rows."""
    if data.folds:
        parts = weights_of_folds(weights, len(data.folds))
        return np.asarray(fold_outputs(spec, data, result.params, parts, call), np.float32)
    model = trained_model(spec, result, weights, data)
    return np.asarray(call(model, data.validation.x))


def evaluate(spec: SweepSpec, model: Any, rows: Rows, data: SearchData) -> TestScores:
    """One `evaluate()` of a compiled model on held-out rows."""
    scores = {name: float(value) for name, value in model.evaluate(rows.x, rows.y, verbose=0, return_dict=True).items()}
    outputs = np.asarray(model.predict(rows.x, verbose=0, batch_size=1024))
    errors = {name: standard_error(name, spec.loss, value, rows.y, lambda: outputs) for name, value in scores.items()}
    known = {name: error for name, error in errors.items() if error is not None}
    return TestScores(len(rows), scores, known, _per_class(rows, outputs, data))


def _per_class(rows: Rows, outputs: npt.NDArray[np.floating], data: SearchData) -> dict[str, float] | None:
    if data.classes is None:
        return None
    labels = rows.classes
    chosen = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(int)
    return {
        name: float((chosen[labels == index] == index).mean())
        for index, name in enumerate(data.names_of_classes)
        if (labels == index).any()
    }
