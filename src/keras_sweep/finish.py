"""After the search: the winner's one look at the test set, its model file and card. Nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from keras_sweep.card import model_card
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import SearchData
from keras_sweep.events import Listener, TestEvaluated
from keras_sweep.export import raw_model, save_keras
from keras_sweep.record.atomic import SHARED, write_text
from keras_sweep.record.study_file import StudyFile
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial import Result, Weights
from keras_sweep.winner import TestScores, evaluate, trained_model


def look_at_test(
    spec: SweepSpec, study: StudyFile, best: Result, model: Any, data: SearchData, emit: Listener
) -> TestScores | None:
    """Evaluate a model on the sealed rows and count the look; None where the source has no test rows."""
    if not data.test_rows:
        return None
    looks = int(study.attributes.get("test_looks", 0)) + 1
    scores = evaluate(spec, model, open_test(spec, data), data)
    kept = {"number": best.number, "rows": scores.rows, "scores": dict(scores.scores), "stderr": scores.stderr}
    kept["per_class"] = dict(scores.per_class) if scores.per_class else None
    study.set_attributes({"test_looks": looks, "test": kept})
    emit(TestEvaluated(best.number, scores.scores, scores.stderr, looks, scores.per_class))
    return scores


def known_test(study: StudyFile, best: Result) -> TestScores | None:
    """The last look at the test set, if it was at this trial."""
    kept = study.attributes.get("test")
    if not isinstance(kept, dict) or kept.get("number") != best.number:
        return None
    return TestScores(kept["rows"], kept["scores"], kept["stderr"], kept["per_class"])


def finish(
    spec: SweepSpec,
    study: StudyFile,
    results: Sequence[Result],
    best: Result,
    weights: Weights,
    data: SearchData,
    *,
    test: bool,
    emit: Listener,
) -> None:
    """Evaluate the winner on the test set if this trial has not been, and write `best.keras` and `card.json`."""
    folder = study.folder
    scores = known_test(study, best)
    looks = int(study.attributes.get("test_looks", 0))
    card = _card_on_disk(folder.card)
    if folder.best.is_file() and card.get("trial") == best.number and card.get("trials") == len(results):
        if scores is not None:
            emit(TestEvaluated(best.number, scores.scores, scores.stderr, looks, scores.per_class))
            return
        if not test:
            return
    model = trained_model(spec, best, weights, data)
    if scores is not None:
        emit(TestEvaluated(best.number, scores.scores, scores.stderr, looks, scores.per_class))
    elif test:
        scores = look_at_test(spec, study, best, model, data, emit)
    looks = int(study.attributes.get("test_looks", 0))
    save_keras(raw_model(spec, model, data), folder.best)
    card = model_card(spec, best, data, trials=len(results), test=scores, looks=looks)
    write_text(folder.card, json.dumps(card, indent=2) + "\n", mode=SHARED)


def _card_on_disk(path: Any) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}
