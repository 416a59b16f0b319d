"""What the models of a trial's folds say of all rows: of each row the one that it was left out of."""

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
    weights: Sequence[Weights],
    call: Callable[[Any, Arrays], Arrays] = call_model,
) -> list[Arrays]:
    """Of each of these weights [N, ...] the outputs on all rows, in their order.

    They are those of a trial after one of several epochs: of each fold's model, one fold's after the other's.
    """
    parts = []
    for index in range(len(data.folds)):
        rows = data.fold(index)
        model = compile_model(spec, training_plan(spec, params), rows)
        outputs = []
        for trial_weights in weights:
            count = len(trial_weights) // len(data.folds)
            model.set_weights(list(trial_weights[count * index : count * (index + 1)]))
            outputs.append(call(model, rows.validation.x))
        parts.append(outputs)
    return [
        each(lambda *fold_parts: rows_together(fold_parts, data), *trial_weights)
        for trial_weights in zip(*parts, strict=True)
    ]


def model_of(spec: SweepSpec, data: SearchData, params: Params, weights: Weights) -> tuple[Any, Arrays]:
    """The compiled Keras model of a trial that has these weights, with folds that of the first, and rows for it."""
    rows = data.fold(0) if data.folds else data
    model = compile_model(spec, training_plan(spec, params), rows)
    model.set_weights(list(weights[: len(weights) // max(len(data.folds), 1)]))
    return model, rows.validation.x


def join_scores(name: str, values: Sequence[Any], rows: Sequence[Array], weights: Array | None) -> Any:
    """A metric over the rows of all folds, float64: [T], or one number.

    `values` has of each fold its mean over the fold's rows, which these are among all, by `weights` [N] if they weigh
    unlike; Keras divides a loss by the number of rows all the same. One that is no mean is taken as if it were.
    """
    row_weights = None if name in ("loss", "val_loss") else weights
    counts = np.array(
        [len(fold_rows) if row_weights is None else row_weights[fold_rows].sum(dtype=np.float64) for fold_rows in rows],
        np.float64,
    )
    total = np.tensordot(counts, np.asarray(values, np.float64), axes=1)
    # Equally many right rows are equal, whichever folds have them.
    if weights is None and name.removeprefix("val_") in ACCURACIES | TOP_K:
        whole = np.round(total)  # which float32 has blurred
        total = np.where(np.abs(total - whole) < 0.01, whole, total)
    return total / counts.sum()


def rows_together(parts: Sequence[Array], data: SearchData) -> Array:
    """[N, ...] of what each fold says of the rows that it left out, in the order of all rows."""
    joined = np.concatenate(parts)
    together = np.empty_like(joined)
    together[np.concatenate([fold.held for fold in data.folds])] = joined
    return together
