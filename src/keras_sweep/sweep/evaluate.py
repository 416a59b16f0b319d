"""Looks at the sealed test rows, each counted before they are scored."""

from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, ModelError
from keras_sweep.models.own_compile import can_validate
from keras_sweep.record.facts import Facts, TestScores
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.events import TestEvaluated
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.validation_outputs import as_probabilities
from keras_sweep.sweep.winner import final_model
from keras_sweep.training.build_trial import predicted
from keras_sweep.training.outcome import Logged, read_numbers
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result


def evaluate_winner(sweep: OpenSweep) -> TestScores:
    """One more look at the test rows, counted before they are scored; the listener hears it as `TestEvaluated`.

    Raises as `OpenSweep.training`, `OpenSweep.load` and `look_at_test`; SweepBusy: another process runs the sweep.
    """
    with SweepLock(sweep.folder):
        best = sweep.training(None)
        model, own, _ = final_model(sweep, best)
        return look_at_test(sweep, best, model, own)


def last_look(facts: Facts, *, earlier: bool = False) -> TestEvaluated:
    """The event of the last look, of which there is one; `earlier`: it is only told again."""
    assert facts.test is not None
    return TestEvaluated(**asdict(facts.test), looks=facts.test_looks, earlier=earlier)


def look_at_test(sweep: OpenSweep, best: Result, model: Any, own: SearchData) -> TestScores:
    """Evaluate the model of the winner on the sealed rows, of which there must be some, and count the look.

    `own` are the rows that the model was trained on. The count is written when the rows are open and before they are
    scored: a look that a kill cuts short is counted, and taken anew; where the rows can't be had, nobody has looked.

    Raises ChangedSweep: they are not the test rows that the sweep was begun with; DataError: they can't be read;
    ModelError: nothing evaluates the model.
    """
    study, (spec, data) = sweep.study, sweep.load(best)
    compiled = getattr(model, "compiled", False)
    if not (compiled and can_validate(model)):
        why = "has a `train_step` of its own, but no `test_step`" if compiled else "is not compiled"
        raise ModelError(f"the test rows are not looked at: the winner's model {why}, so nothing evaluates it")
    begun = study.facts.test_fingerprint
    if begun is not None and data.test_fingerprint not in begun.split("+"):  # of all variants of the data
        raise ChangedSweep(
            f"the test rows of {data.name} are not those that the sweep {spec.name!r} was begun with: "
            "they would not judge its winner",
            hint="Bring the former rows back, or run the sweep anew with `--fresh`",
        )
    rows = open_test(spec, data, like=own)
    count_look(study)
    scores = evaluate(spec, best, model, rows, data)
    kept = {
        "number": best.recipe,
        "seed": best.finalist_seed,
        "refit": study.facts.refit_of(best) is not None,
        "stderr": scores.stderrs.get(spec.objective.name.removeprefix("val_")),
        **asdict(scores),
    }
    study.set_attributes({"test": kept})
    sweep.emit(last_look(study.facts))
    return scores


def count_look(study: StudyFile) -> int:
    """Write down one more look at the test rows; returns how many there were with it."""
    looks = study.facts.test_looks + 1
    study.set_attributes({"test_looks": looks})
    return looks


def evaluate(spec: SweepSpec, trial: Result, model: Any, rows: Rows, data: SearchData) -> TestScores:
    """One `evaluate()` of a trial's compiled model on held-out rows."""
    arguments = training_plan(spec, trial.params).loss_arguments
    given = {"sample_weight": rows.weights, "verbose": 0, "return_dict": True}
    scores = read_numbers(model.evaluate(rows.x, rows.labels, **given))
    predict = cache(lambda: predicted(model, rows.x))
    logged = [Logged(spec, arguments, name, value, rows, predict) for name, value in scores.items()]
    errors = {one.metric: one.standard_error() for one in logged}
    known = {name: error for name, error in errors.items() if error is not None}
    per_class = None
    if data.classes is not None:
        labels, right = rows.classes, as_probabilities(predict()).argmax(axis=1) == rows.classes
        counts = np.ones(len(rows)) if rows.weights is None else rows.weights.astype(np.float64)
        there = [(name, counts * (labels == index)) for index, name in enumerate(data.names_of_classes)]
        per_class = {name: float(np.average(right, weights=of_class)) for name, of_class in there if of_class.any()}
    return TestScores(len(rows), scores, known, per_class)
