"""A finished sweep that is run again: known by its record alone, in a moment, without its data and without Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_sweep.errors import RecordError
from keras_sweep.files.model_file import file_digest
from keras_sweep.models.model_code import MODEL_CODE, changed_code, model_code
from keras_sweep.process.keras_config import KERAS_CONFIG, config_changes, keras_config
from keras_sweep.record.lock import read_owner
from keras_sweep.record.reader import read_attributes, read_results
from keras_sweep.record.row_scores import load_scores, scores_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.weights import load_weights, part_of, weights_file, weights_file_of
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.card import is_card_of, refit_record
from keras_sweep.sweep.comparison import comparison_of, is_altered
from keras_sweep.sweep.finish_winner import known_look, known_scores
from keras_sweep.sweep.kept_model import own_card
from keras_sweep.sweep.started import short_path, sweep_started
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.sweep.winner import TestScores
from keras_sweep.trial.end_reason import EndReason, exhausted_text
from keras_sweep.trial.events import Listener, Noticed, SweepEnded, WinnerRefitted
from keras_sweep.trial.finalists import chosen
from keras_sweep.trial.ranking import best_training, winner
from keras_sweep.trial.refit import Refit, recorded_refit
from keras_sweep.trial.result import Result


def tell_again(
    spec: SweepSpec, folder: SweepFolder, emit: Listener, wall: WallTime, *, test: bool
) -> SweepEnded | None:
    """Tell of a finished sweep what its last run told; None, and nothing is told, where anything is left to do."""
    known = _already_done(spec, folder, test=test)
    if known is None:
        return None
    results, best, scores, looks = known
    emit(sweep_started(spec, folder, results[-1].runner, spec.search.trials, results))
    if (refit := recorded_refit(read_attributes(folder), best)) is not None:
        emit(WinnerRefitted(refit, earlier=True))
    if scores is not None:
        emit(known_look(best, scores, looks))
    reason = EndReason.DONE if len(results) >= spec.search.trials else EndReason.EXHAUSTED
    exhausted = reason is EndReason.EXHAUSTED
    all_of = f"all of its {len(results)} trials are" if len(results) > 1 else "its one trial is"
    done = exhausted_text(len(results)) if exhausted else f"{all_of} done"
    emit(Noticed(f"{done}, and nothing is left to do{'' if exhausted else '; `--more N` adds some'}"))
    comparison = comparison_of(folder, read_attributes(folder), results)
    ended = SweepEnded(spec.name, reason, tuple(results), wall.total(), short_path(folder.best), comparison=comparison)
    emit(ended)
    return ended


def _already_done(
    spec: SweepSpec, folder: SweepFolder, *, test: bool
) -> tuple[list[Result], Result, TestScores | None, int] | None:
    """All trials, the winner's training whose model stands for it, its scores on the test rows, and the looks at them;
    None where anything is left to do.

    That is also so where a file beside the record is missing or altered, or where a file of the user's, data or code,
    was written since: then the whole way is gone, on which that is noticed.
    """
    try:
        attributes, results = read_attributes(folder), read_results(folder)
        best = winner(results, spec.objective)
        asked = (spec.search.trials, spec.search.engine_name, spec.text)
        if best is None or asked != tuple(attributes.get(key) for key in ("trials", "engine", "space")):
            return None
        if not _has_ended(spec, attributes, results, best):
            return None
        if read_owner(folder) is not None or _is_waiting(folder) or folder.space.read_text() != spec.text:
            return None
        card = own_card(folder, attributes)
        training = best_training(best, spec.objective)
        scores = known_scores(attributes, training)
        refit = recorded_refit(attributes, training)
        _read_what_is_kept(folder, results, refit)
        if (refit is not None) is not spec.refits or card.get("refit") != refit_record(refit):
            return None
        if not _is_written(card, spec, results, best) or card["sha256"] != file_digest(folder.best):
            return None
        if (scores is None) != (card["test"] is None) or (test and scores is None and card["data"]["test_rows"]):
            return None
        changes = config_changes(attributes.get(KERAS_CONFIG, {}), keras_config())  # code of the model may set it, too
        changes += changed_code(attributes.get(MODEL_CODE), model_code(spec))
        if changes or is_altered(folder, attributes, results):
            return None
        written = folder.card.stat().st_mtime
        if any(path.stat().st_mtime >= written for path in _sources(spec)):
            return None
        return results, training, scores, int(attributes.get("test_looks", 0))
    except (RecordError, OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _read_what_is_kept(folder: SweepFolder, results: Sequence[Result], refit: Refit | None) -> None:
    """Read the weights of the best trials, and their scores, which could be computed again. Raises RecordError."""
    if refit is not None:
        load_weights(weights_file(folder.refit, refit.trial), refit.digest)
    finalists = [one for result in results for one in result.finalists]
    for trial in (*results, *finalists):
        path = weights_file_of(folder, trial)
        if path.exists():
            load_weights(path, trial.weights_digest)
            if trial.scores_digest:
                load_scores(scores_file(part_of(folder, trial), trial.number), trial.scores_digest)


def _has_ended(spec: SweepSpec, attributes: Mapping[str, Any], results: Sequence[Result], best: Result) -> bool:
    """Whether all trials, and all finalists, are there."""
    searched = len(results) >= spec.search.trials or attributes.get("exhausted") == len(results)
    return searched and best.final is bool(chosen(spec, results).recipes)


def _is_written(card: Mapping[str, Any], spec: SweepSpec, results: Sequence[Result], best: Result) -> bool:
    """Whether the card is of the winner, or of the one of its finalists whose model stands for it."""
    return card["trials"] == len(results) and is_card_of(card, best_training(best, spec.objective), spec.search.seed)


def _is_waiting(folder: SweepFolder) -> bool:
    return folder.spool.exists() or folder.finalists.spool.exists()


def _sources(spec: SweepSpec) -> list[Path]:
    """The user's files that the sweep is made of beside the space file."""
    paths = []
    for section in (spec.data, spec.model):
        if section.kind == "python":
            module = section.source.partition(":")[0]
            paths.append(spec.folder / (module.replace(".", "/") + ".py"))
        elif section.kind not in ("named", "dense"):
            paths.append(Path(section.source))
    return paths
