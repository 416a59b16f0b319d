"""Combine the models of a trial's folds: each row is predicted by the model that did not train on the row."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, each
from keras_sweep.data.search_data import SearchData
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import call_model, compile_model
from keras_sweep.training.row_values import ACCURACIES, TOP_K
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Weights


def fold_outputs(
    spec: SweepSpec,
    data: SearchData,
    params: Params,
    weights: Weights,
    call: Callable[[Any, Arrays], Arrays] = call_model,
) -> Arrays:
    """Return the out-of-fold outputs [N, ...] of all N rows.

    `weights`: of all folds' models, fold after fold. `call(model, inputs)` returns a model's outputs.
    """
    outputs, count = [], len(weights) // len(data.folds)
    for index in range(len(data.folds)):
        rows = data.fold(index)
        model = compile_model(spec, training_plan(spec, params), rows)
        model.set_weights(list(weights[count * index : count * (index + 1)]))
        outputs.append(call(model, rows.validation.x))
    return each(lambda *by_fold: join_fold_rows(by_fold, data), *outputs)


def build_trained_model(spec: SweepSpec, data: SearchData, params: Params, weights: Weights) -> tuple[Any, Arrays]:
    """Return (compiled Keras model, validation inputs); with folds, the first fold's, from `weights` of all folds."""
    rows = data.fold(0) if data.folds else data
    model = compile_model(spec, training_plan(spec, params), rows)
    model.set_weights(list(weights[: len(weights) // max(len(data.folds), 1)]))
    return model, rows.validation.x


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
    """Join `parts`, an array per fold with its validation rows' values, into [N, ...] in the order of all N rows."""
    joined = np.concatenate(parts)
    together = np.empty_like(joined)
    together[np.concatenate([fold.held for fold in data.folds])] = joined
    return together
