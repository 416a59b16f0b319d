"""What the models of a trial's folds say of all rows: of each row the one that it was left out of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_sweep.data.search_data import Array, SearchData
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import compiled_model
from keras_sweep.training.call_model import called
from keras_sweep.training.joined_scores import rows_together
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Weights


def weights_of_folds(weights: Weights, folds: int) -> list[Weights]:
    """The weights of each fold's model, of those of all: one fold's after the other's."""
    each = len(weights) // folds
    return [weights[each * fold : each * (fold + 1)] for fold in range(folds)]


def fold_outputs(
    spec: SweepSpec,
    data: SearchData,
    params: Params,
    weights: Sequence[Weights],
    call: Callable[[Any, Array], Array] = called,
) -> Array:
    """[N, ...] the outputs on all rows of models with these weights, one a fold, in the order of the rows."""
    (outputs,) = epoch_outputs(spec, data, params, [[each] for each in weights], call)
    return outputs


def epoch_outputs(
    spec: SweepSpec,
    data: SearchData,
    params: Params,
    weights: Sequence[Sequence[Weights]],
    call: Callable[[Any, Array], Array] = called,
) -> list[Array]:
    """As `fold_outputs`, after each of several epochs: of each fold the weights of every one are given."""
    parts = []
    for index, epochs in enumerate(weights):
        rows = data.fold(index)
        model = compiled_model(spec, training_plan(spec, params), rows)
        outputs = []
        for each in epochs:
            model.set_weights(list(each))
            outputs.append(call(model, rows.validation.x))
        parts.append(outputs)
    return [rows_together(each, [fold.held for fold in data.folds]) for each in zip(*parts, strict=True)]
