"""After the search: the winner's one look at the test set, its model file and card. Nothing is done twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from keras_sweep.errors import DataError, ModelError, RecordError
from keras_sweep.files import disk
from keras_sweep.files.atomic import SHARED, write_text
from keras_sweep.files.plain import file_digest, plain_errors
from keras_sweep.models.model_as_file import PLAIN, opening_call
from keras_sweep.record.facts import Facts, TestScores
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.sweep.card import CARD, card_text, kept_card, model_card
from keras_sweep.sweep.comparison import RecordedSweep
from keras_sweep.sweep.export import file_model, save_keras
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.sweep.refit import final_model
from keras_sweep.sweep.winner import known_look, look_at_test
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.result import Result

OF_THE_MODEL = ("trial", "seed", "trials", "seeds", "refit")  # by these a card is of the model that is to be there


def finish(running: Running, results: Sequence[Result], best: Result, *, test: bool = True) -> None:
    """Evaluate the winner on the test set if this trial has not been, and write `best.keras` and `card.json`.

    What is there already and sound is left as it is, so that the same call again does nothing. The card bears the
    model file's checksum and is written last: a kill leaves a model without a card, never with another model's.

    Args:
        running: the sweep.
        results: the trials of the search.
        best: the winner, or the one of its finalists whose model stands for it.
        test: whether the test rows are to be looked at.
    """
    spec, study, data, emit, wall = running.spec, running.study, running.data, running.emit, running.wall
    folder, opened = study.folder, running.opened(best)
    refit, scores = study.facts.refit_of(best), study.facts.test_of(best)
    if scores is not None:
        emit(known_look(best, scores, study.facts.test_looks))

    def card(opening: str) -> dict[str, Any]:
        """As it is to be, but for the file's checksum."""
        sweep = RecordedSweep(folder, study.facts, results)
        return model_card(sweep, spec, best, data, opening=opening, refit=refit)

    there = _card_on_disk(folder, study.facts, emit)
    opening = str(there.get("open", PLAIN))
    wanted = card(opening)
    sound = all(there.get(key) == wanted.get(key) for key in OF_THE_MODEL)
    look = test and scores is None and bool(data.test_rows)
    told = there.get("estimate") == wanted["estimate"] and (there.get("test") is None) == (scores is None)
    if sound and told and not look:
        return
    if look or not sound:
        with wall.phase("build"):
            model, own, _ = final_model(opened)
        if look:
            with wall.phase("test"):
                scores = look_at_test(opened, model, own)
        if not sound:
            try:
                with wall.phase("export"):
                    as_file = file_model(spec, model, own)
            except ModelError as error:  # the trials and their weights are sound all the same
                emit(Noticed(str(error)))
                return
            opening = opening_call(as_file)
            with plain_errors("remove", folder.card):
                disk.remove(folder.card)  # so that a card never describes another model
            with wall.phase("export"), plain_errors("write", folder.best):
                save_keras(as_file, folder.best)
    text = card_text({**card(opening), "sha256": file_digest(folder.best)})
    study.set_attributes({CARD: hashlib.sha256(text.encode()).hexdigest()})
    write_text(folder.card, text, mode=SHARED)


def _card_on_disk(folder: SweepFolder, facts: Facts, emit: Listener) -> dict[str, Any]:
    """The card of a sound `best.keras`; {} without one. What was altered, or is of what was, is moved aside."""
    try:
        return kept_card(folder, facts)
    except RecordError as error:
        for path in (folder.card, folder.best):
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{error.message}: {path} is {set_aside(path).name} now, and written again"))
        return {}


def evaluate_winner(access: SweepAccess) -> TestScores:
    """One more look at the test rows, counted before they are scored; the listener hears it as `TestEvaluated`.

    Raises:
        DataError: there are no test rows, or they are not those of the sweep.
        UsageError: the record names code and is not trusted, or the backend does not fit.
        SweepBusy: another process runs the sweep.
    """
    with SweepLock(access.folder), access.opened(None) as best:
        model, own, _ = final_model(best)
        scores = look_at_test(best, model, own)
    if scores is None:
        raise DataError(f"{best.data.name} has no test rows", hint="Give `split: {test: 0.2}` in the space file")
    return scores
