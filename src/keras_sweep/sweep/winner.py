"""A trial's model with its weights: what it says of each validation row, and its looks at the sealed test rows.

Each look is counted, and the last one is kept in the record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array
from keras_sweep.data.raw_rows import validation_table
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.source import image_set
from keras_sweep.errors import ChangedSweep, DataError, UsageError
from keras_sweep.process.backend import check_environment
from keras_sweep.record.facts import TestScores
from keras_sweep.record.saved import load_weights_of, weights_file_of
from keras_sweep.record.study_file import StudyFile
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.recorded import OpenedTrial, SweepAccess
from keras_sweep.training.build_trial import compiled_model, predicted
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.folds import fold_outputs, weights_of_folds
from keras_sweep.training.outcome import standard_error
from keras_sweep.trial.events import TestEvaluated
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Weights

if TYPE_CHECKING:
    import polars as pl


def trained_model(spec: SweepSpec, result: Result, weights: Weights, data: SearchData) -> Any:
    """The trial's compiled `keras.Model` with the given weights; it takes rows as in `data.train.x`."""
    check_environment()
    enable_compile_cache()
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


@dataclass(frozen=True)
class ValidationOutputs:
    """The outputs of a trial's model on the validation rows."""

    data: SearchData
    outputs: npt.NDArray[np.floating]  # [N, C] or [N, 1]
    table: pl.DataFrame | None  # [N] the columns of the rows as they were read; None for arrays

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names; () where a row has no class, or more than one."""
        return self.data.names_of_classes

    @cached_property
    def labels(self) -> npt.NDArray[np.intp]:
        """[N] the class of each row."""
        return self.data.validation.classes

    @cached_property
    def chosen(self) -> npt.NDArray[np.intp]:
        """[N] the class that the model names."""
        return np.asarray(as_probabilities(self.outputs).argmax(axis=1), np.intp)

    @cached_property
    def certainty(self) -> npt.NDArray[np.floating]:
        """[N] how sure the model is of the class that it names, from 0 to 1."""
        return np.asarray(as_probabilities(self.outputs).max(axis=1))


def as_probabilities(outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """[N, C] as it is; of two classes [N, 1], which is the second's, as [N, 2]."""
    return outputs if outputs.shape[1] > 1 else np.concatenate([1 - outputs, outputs], axis=1)


def winner_outputs(access: SweepAccess) -> ValidationOutputs:
    """The winner's outputs, from its saved arrays: no model file is opened.

    Raises:
        UsageError: the record names code and is not trusted, its weights are not kept, or another backend is needed.
        DataError: the rows are not on this machine, or are not those of the sweep.
    """

    def at_hand(spec: SweepSpec, winner: Result) -> None:
        if not weights_file_of(access.folder, winner).exists():
            raise UsageError(f"the weights of {winner.name} are not kept")
        pictures = image_set(spec.data)
        if pictures is not None and pictures.find() is None:
            raise DataError(f"the files of {pictures.name} are not on this machine", hint="`sweep data` fetches them")

    with access.opened(None, check=at_hand) as best:
        weights = load_weights_of(access.folder, best.trial)
        outputs = validation_outputs(best.spec, best.trial, weights, best.data)
    table = validation_table(best.spec, best.data)
    return ValidationOutputs(best.data, outputs.reshape(len(outputs), -1), table)


def known_look(best: Result, scores: TestScores, looks: int, *, earlier: bool = True) -> TestEvaluated:
    """What tells of a look, by default again of an earlier one."""
    seen = (scores.scores, scores.stderrs, looks, scores.per_class)
    return TestEvaluated(best.recipe, *seen, earlier=earlier, seed=best.finalist_seed)


def look_at_test(opened: OpenedTrial, model: Any, own: SearchData) -> TestScores | None:
    """Evaluate a trial's model on the sealed rows and count the look; None where the source has no test rows.

    `own` are the rows that the model was trained on.

    The count is written when the rows are open and before they are scored: a look that a kill cuts short is counted,
    and taken anew; where the rows can't be had, nobody has looked.

    Raises:
        ChangedSweep: the test rows are not those that the sweep was begun with.
        DataError: they can't be read.
    """
    study, spec, data, best = opened.study, opened.spec, opened.data, opened.trial
    if not data.test_rows:
        return None
    if study.facts.test_fingerprint not in (None, data.test_fingerprint):
        raise ChangedSweep(
            f"the test rows of {data.name} are not those that the sweep {spec.name!r} was begun with: "
            "they would not judge its winner",
            hint="Bring the former rows back, or run the sweep anew with `--fresh`",
        )
    rows = open_test(spec, data, like=own)
    looks = count_look(study)
    scores = evaluate(spec, model, rows, data)
    kept = {
        "number": best.recipe,
        "seed": best.finalist_seed,
        "refit": study.facts.refit_of(best) is not None,
        "stderr": scores.stderrs.get(spec.objective.name.removeprefix("val_")),
        **asdict(scores),
    }
    study.set_attributes({"test": kept})
    opened.emit(known_look(best, scores, looks, earlier=False))
    return scores


def count_look(study: StudyFile) -> int:
    """Write down one more look at the test rows; returns how many there were with it."""
    looks = study.facts.test_looks + 1
    study.set_attributes({"test_looks": looks})
    return looks


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
    labels, chosen = rows.classes, as_probabilities(outputs).argmax(axis=1)
    return {
        name: float((chosen[labels == index] == index).mean())
        for index, name in enumerate(data.names_of_classes)
        if (labels == index).any()
    }
