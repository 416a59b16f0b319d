"""Combine the models of a trial's folds: each row is predicted by the model that did not train on the row."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, each
from keras_sweep.data.search_data import SearchData
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import build_trained_model, predict_rows
from keras_sweep.training.row_values import ACCURACIES, TOP_K
from keras_sweep.trial.result import Weights


def compute_validation_outputs(
    spec: SweepSpec,
    params: Params,
    weights: Weights,
    data: SearchData,
    call: Callable[[Any, Arrays], Arrays] = predict_rows,
    name: str = "this trial",
) -> Arrays:
    """Return the trained model's outputs [N, ...] for the validation rows, computed by `call(model, x)`; None for an
    output for which `call` returns None. With folds, `weights` has the weights of all folds' models in order, and each
    row is predicted by the model that was not trained on it. Raises as `build_trained_model`."""
    outputs, folds = [], max(len(data.folds), 1)
    count = len(weights) // folds
    for index in range(folds):
        rows = data.fold(index)
        model = build_trained_model(spec, params, weights[count * index : count * (index + 1)], rows, name)
        outputs.append(call(model, rows.validation.x))
    return each(lambda *by_fold: None if by_fold[0] is None else join_fold_rows(by_fold, data), *outputs)


def build_first_model(spec: SweepSpec, params: Params, weights: Weights, data: SearchData, name: str) -> Any:
    """Return the trained model; with folds, the model of the first fold. Raises as `build_trained_model`."""
    count = len(weights) // max(len(data.folds), 1)
    return build_trained_model(spec, params, weights[:count], data.fold(0), name)


def join_scores(name: str, values: Sequence[Any], rows: Sequence[Array], weights: Array | None) -> Any:
    """Return the mean of metric `name` over the folds, weighted by the folds' rows: float64, a number or [epochs].

    `values` has a number or an array [epochs] per fold, and `rows` the fold's row indices. `weights` are sample weights
    [N], or None. A loss ignores sample weights here, because Keras divides a loss by the number of rows.
    """
    weighs = None if name in ("loss", "val_loss") else weights
    counts = np.array(
        [len(fold) if weighs is None else weighs[fold].sum(dtype=np.float64) for fold in rows], np.float64
    )
    total = np.tensordot(counts, np.asarray(values, np.float64), axes=1)
    # The same number of right rows gives the same score, whichever folds contain them.
    if weights is None and name.removeprefix("val_") in ACCURACIES | TOP_K:
        whole = np.round(total)  # float32 has rounded the values
        total = np.where(np.abs(total - whole) < 0.01, whole, total)
    return total / counts.sum()


def join_fold_rows(parts: Sequence[Array], data: SearchData) -> Array:
    """Join `parts`, an array per fold with its validation rows' values, into [N, ...] in the order of all N rows.
    Without folds, return the only part."""
    if not data.folds:
        return parts[0]
    joined = np.concatenate(parts)
    together = np.empty_like(joined)
    together[np.concatenate([fold.held for fold in data.folds])] = joined
    return together
