"""After the search: the winner's look at the test rows, its model's file and its card, each once."""

import hashlib
from collections.abc import Sequence
from typing import Any

from keras_sweep.errors import ModelError, RecordError
from keras_sweep.files import disk
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import file_digest, plain_errors
from keras_sweep.models.model_as_file import PLAIN, opening_call
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import set_aside
from keras_sweep.sweep.card import card_text, kept_card, model_card, test_record
from keras_sweep.sweep.evaluate import last_look, look_at_test
from keras_sweep.sweep.export import file_model, save_keras
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.winner import final_model
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.result import Result

OF_THE_MODEL = ("trial", "seed", "trials", "seeds", "refit")  # by these a card is of the model that is to be there


def finish(sweep: OpenSweep, results: Sequence[Result], best: Result, *, test: bool = True) -> bool:
    """Evaluate the winner on the test rows, if it has not been and `test` says so; write `best.keras` and `card.json`.

    `best` is the winner, or the one of its finalists whose model stands for it. What is there already and sound is left
    as it is, so that the same call again does nothing. The card bears the model file's checksum and is written last: a
    kill leaves a model without a card, never with another model's. Returns whether both are there.
    """
    (spec, data), study, emit, folder, wall = sweep.load(best), sweep.study, sweep.emit, sweep.folder, sweep.wall
    refit, scores = study.facts.refit_of(best), study.facts.test_of(best)
    if scores is not None:
        emit(last_look(study.facts, earlier=True))
    there = _sound_card(study, emit)
    opening = str(there.get("open", PLAIN))
    recorded = RecordedSweep(folder, study.facts, results)
    wanted = model_card(recorded, spec, best, data, opening=opening, refit=refit)
    sound = all(there.get(key) == wanted.get(key) for key in OF_THE_MODEL)
    look = test and scores is None and bool(data.test_rows)
    told = there.get("estimate") == wanted["estimate"] and (there.get("test") is None) == (scores is None)
    if sound and told and not look:
        return True
    if look or not sound:
        with wall.phase("build"):
            model, own, _ = final_model(sweep, best)
        if look:
            try:
                with wall.phase("test"):
                    look_at_test(sweep, best, model, own)
            except ModelError as error:
                emit(Noticed(error.message))
        if not sound:
            try:
                with wall.phase("export"):
                    as_file = file_model(spec, model, own)
            except ModelError as error:  # the trials and their weights are sound all the same
                emit(Noticed(str(error)))
                return False
            opening = opening_call(as_file)
            with plain_errors("remove", folder.card):
                disk.remove(folder.card)  # so that a card never describes another model
            with wall.phase("export"), plain_errors("write", folder.best):
                save_keras(as_file, folder.best)
    now = {"open": opening, "test": test_record(study.facts, best), "sha256": file_digest(folder.best)}
    text = card_text({**wanted, **now})
    study.set_attributes({"card": hashlib.sha256(text.encode()).hexdigest()})
    write_text(folder.card, text, option="--sweeps-dir")
    return True


def _sound_card(study: StudyFile, emit: Listener) -> dict[str, Any]:
    """The card of a sound `best.keras`; {} without one. What was altered, or is of what was, is moved aside."""
    try:
        return kept_card(study.folder, study.facts)
    except RecordError as error:
        for path in (study.folder.card, study.folder.best):
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{error.message}: {path} is {set_aside(path).name} now, and written again"))
        return {}
