"""Looks at the sealed test rows: each is counted, and the last one is kept in the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, DataError
from keras_sweep.record.facts import TestScores
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.sweep.winner import as_probabilities, final_model
from keras_sweep.training.outcome import standard_error
from keras_sweep.trial.events import Listener, TestEvaluated
from keras_sweep.trial.result import Result


def evaluate_winner(access: SweepAccess) -> TestScores:
    """One more look at the test rows, counted before they are scored; the listener hears it as `TestEvaluated`.

    Raises:
        DataError: there are no test rows, or they are not those of the sweep.
        UsageError: the record names code and is not trusted, or the backend does not fit.
        SweepBusy: another process runs the sweep.
    """
    with SweepLock(access.folder), access.opened(None) as best:
        model, own, _ = final_model(best)
        scores = look_at_test(best.spec, best.study, best.trial, model, best.data, own, best.emit)
    if scores is None:
        raise DataError(f"{best.data.name} has no test rows", hint="Give `split: {test: 0.2}` in the space file")
    return scores


def known_look(best: Result, scores: TestScores, looks: int, *, earlier: bool = True) -> TestEvaluated:
    """What tells of a look, by default again of an earlier one."""
    seen = (scores.scores, scores.stderrs, looks, scores.per_class)
    return TestEvaluated(best.recipe, *seen, earlier=earlier, seed=best.finalist_seed)


def look_at_test(
    spec: SweepSpec, study: StudyFile, best: Result, model: Any, data: SearchData, own: SearchData, emit: Listener
) -> TestScores | None:
    """Evaluate a model on the sealed rows and count the look; None where the source has no test rows.

    `data` are the rows of the search, `own` those that the model was trained on.

    The count is written when the rows are open and before they are scored: a look that a kill cuts short is counted,
    and taken anew; where the rows can't be had, nobody has looked.

    Raises:
        ChangedSweep: the test rows are not those that the sweep was begun with.
        DataError: they can't be read.
    """
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
    emit(known_look(best, scores, looks, earlier=False))
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
