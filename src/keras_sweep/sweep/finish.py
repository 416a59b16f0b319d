"""After the search: the winner's one look at the test set, its model file and card. Nothing is done twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from keras_sweep.data.raw_rows import whole
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, RecordError
from keras_sweep.files import disk
from keras_sweep.files.atomic import SHARED, write_text
from keras_sweep.files.model_file import check_keras_file, file_digest
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.models.model_as_file import PLAIN, opening_call
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.card import CARD, is_card_of, model_card, own_card, refit_record, seeds_record
from keras_sweep.sweep.evaluate import known_look, known_scores, look_at_test, looks_at_test
from keras_sweep.sweep.export import file_model, save_keras
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.sweep.winner import trained_model
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.refit import Refit
from keras_sweep.trial.result import Result, Weights


def finish(
    spec: SweepSpec,
    study: StudyFile,
    results: Sequence[Result],
    best: Result,
    weights: Callable[[], Weights],
    data: SearchData,
    *,
    test: bool,
    emit: Listener,
    wall: WallTime | None = None,
    estimate: Estimate | None = None,
    refit: Refit | None = None,
) -> None:
    """Evaluate the winner on the test set if this trial has not been, and write `best.keras` and `card.json`.

    `results` are the trials of the search; `best` is the winner, or the one of its finalists whose model stands for it;
    `weights` are of that model, or of its `refit` where there is one.

    What is there already and sound is left as it is, so that the same call again does nothing. The card bears the model
    file's checksum and is written last: a kill leaves a model without a card, never with one of another model.
    """
    folder, wall = study.folder, wall or WallTime()
    scores = known_scores(study.attributes, best)
    if scores is not None:
        emit(known_look(best, scores, looks_at_test(study)))
    card = _card_on_disk(folder, study.attributes, emit)
    recipe = next(one for one in results if one.number == best.recipe)
    current = card.get("trials") == len(results) and is_card_of(card, best, spec.search.seed)
    current = current and card.get("seeds") == seeds_record(recipe, spec.search.seed)
    current = current and card.get("refit") == refit_record(refit)
    sound = _is_sound(folder, card if current else None, emit)
    look = test and scores is None and bool(data.test_rows)
    told = card.get("estimate") == (None if estimate is None else asdict(estimate))
    if sound and told and not look and (scores is None) == (card.get("test") is None):
        return
    opening = str(card.get("open", PLAIN))
    if look or not sound:
        own = data if refit is None else whole(spec, data)
        with wall.phase("build"):
            model = trained_model(spec, best, weights(), own)
        if look:
            with wall.phase("test"):
                scores = look_at_test(spec, study, best, model, data, own, emit)
        if not sound:
            try:
                with wall.phase("export"):
                    as_file = file_model(spec, model, own)
            except ModelError as error:  # the trials and their weights are sound all the same
                emit(Noticed(str(error)))
                return
            opening = opening_call(as_file)
            _make_way(folder)
            with wall.phase("export"), plain_errors("write", folder.best):
                save_keras(as_file, folder.best)
    looks = looks_at_test(study)
    card = model_card(
        spec,
        best,
        data,
        trials=len(results),
        test=scores,
        looks=looks,
        opening=opening,
        estimate=estimate,
        recipe=recipe,
        refit=refit,
    )
    card["sha256"] = file_digest(folder.best)
    text = json.dumps(card, indent=2) + "\n"
    study.set_attributes({CARD: hashlib.sha256(text.encode()).hexdigest()})
    write_text(folder.card, text, mode=SHARED)


def _make_way(folder: SweepFolder) -> None:
    """Delete card.json before best.keras is replaced, so that a card never describes another model."""
    with plain_errors("remove", folder.card):
        disk.remove(folder.card)


def _card_on_disk(folder: SweepFolder, attributes: Mapping[str, Any], emit: Listener) -> dict[str, Any]:
    """The card; {} without one. One that was altered is moved aside."""
    try:
        return own_card(folder, attributes)
    except RecordError as error:
        emit(Noticed(f"{error.message}: it is {set_aside(folder.card).name} now, and written again"))
        return {}


def _is_sound(folder: SweepFolder, card: Mapping[str, Any] | None, emit: Listener) -> bool:
    """Whether `best.keras` is the file that the card is of; None: the card is missing, or of another winner.

    One that is damaged, or not the card's, is moved aside; one of another winner is to be written over.
    """
    if not folder.best.exists():
        return False
    try:
        check_keras_file(folder.best)
        if card is None:
            return False
        if file_digest(folder.best) == card.get("sha256"):
            return True
        why = f"{folder.best} is not the file that {folder.card.name} is of"
    except RecordError as error:
        why = error.message
    moved = set_aside(folder.best)
    emit(Noticed(f"{why}: it is {moved.name} now, and written again"))
    return False
