"""Record trials by number during training, with weights and scores of the best. Trials ahead of their turn wait."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from keras_sweep.files import atomic
from keras_sweep.files.arrays import DamagedArrays, read_text_and_arrays, write_arrays
from keras_sweep.files.plain import plain_errors
from keras_sweep.record import encoding, saved
from keras_sweep.record.reader import FOREIGN
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import pluralize
from keras_sweep.system import disk
from keras_sweep.trial.ranking import LEADING, can_win, order_key
from keras_sweep.trial.result import Result, Weights
from keras_sweep.trial.row_scores import Kind, arrays_digest

if TYPE_CHECKING:  # `list_waiting` opens no record
    from keras_sweep.record.study_file import StudyFile


class TrialRecord:
    """The trials of a running sweep, recorded in the order of their numbers, with weights and scores of the best
    trials. A trial that ends before a trial with a lower number waits in a folder, the spool. The files of a recorded
    trial are never missing: files are written before the trial is recorded, and old files are deleted after it."""

    def __init__(
        self,
        study: StudyFile,
        objective: Objective,
        *,
        kept: int = LEADING,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Read the recorded trials, and delete files that a killed process left.
        The best `kept` trials keep their weights. `notice` gets the text of each warning."""
        self._study = study
        self._folder = study.folder
        self._objective = objective
        self._weights_kept = kept
        self._notice = notice
        self._results = study.results()
        self._ranked: list[Result] = []  # the best trials, which keep weights or scores
        for result in self._results:
            self._place(result)
        saved.delete_others(self._folder.weights, self.best)  # left by a killed process
        self._delete_scores()
        with plain_errors("read", self._folder.spool):
            atomic.clear_parts(self._folder.spool)
        self._waiting = saved.list_numbered_files(self._folder.spool)
        for number in range(len(self._results)):  # left by a process killed after the commit
            self.discard(number)

    def results(self) -> list[Result]:
        return list(self._results)

    @property
    def best(self) -> list[int]:
        """The numbers of the trials whose weights are kept, best first."""
        return [trial.number for trial in self._ranked[: self._weights_kept]]

    def add(self, result: Result) -> Result:
        """Record a trial, and return it without weights and scores. If RecordError is raised, nothing was recorded."""
        light, folder = result.light(), self._folder
        scores = result.scores if self._may_keep_scores(result) else None
        ranked_before, before = self._ranked, set(self.best)
        self._place(light)
        try:
            if result.number in self.best and result.weights is not None:
                write_arrays(saved.weights_file(folder, result.number), result.weights)
            if scores is not None:
                saved.save_scores(saved.scores_file(folder, result.number), scores)
            if foreign := self._study.add(light):
                self._notice(describe_foreign_trials(foreign, light.number, self._study.name + FOREIGN))
        except BaseException:
            self._ranked = ranked_before
            raise
        self._results.append(light)
        if before - set(self.best):
            saved.delete_others(folder.weights, self.best)
        if scores is not None and scores.kind is not Kind.BITS and len(self._ranked) == len(ranked_before):
            self._delete_scores()
        self.discard(result.number)
        return light

    def wait(self, result: Result) -> Result:
        """Write a trial that ended before its turn to the spool. Return the trial without weights and scores.
        The spool's file has weights and scores if the trial may be among the best. Raises RecordError."""
        light, path = result.light(), self._folder.spool / f"{result.number:06d}.npz"
        weights = (result.weights if self._may_be_among(result, self._weights_kept) else None) or ()
        scores = result.scores if self._may_keep_scores(result) else None
        about = {
            "state": light.state.value,
            "value": light.value,
            "texts": encoding.encode(light, None),
            "weights": len(weights),
            "scores": None if scores is None else saved.scores_text(scores),
        }
        write_arrays(path, (*weights, *(scores.to_arrays() if scores is not None else ())), text=json.dumps(about))
        self._waiting[result.number] = path
        return light

    def waiting(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Load the trials among `numbers` that wait in the spool: number -> result. Rename and skip damaged files."""
        results = {}
        for number in [number for number in numbers if number in self._waiting]:
            path = self._waiting[number]
            try:
                results[number] = _decode_waiting(number, *read_text_and_arrays(path))
            except (DamagedArrays, ValueError) as error:
                del self._waiting[number]
                moved = set_aside(path).name
                self._notice(f"{path} is damaged ({error}): renamed to {moved}, and trial {number} is trained again")
        return results

    def discard(self, number: int) -> None:
        """Delete trial `number` from the spool, if the trial waits there. Raises RecordError."""
        if (path := self._waiting.pop(number, None)) is not None:
            with plain_errors("remove", path):
                disk.remove(path)

    def close(self) -> None:
        """Delete the spool, the folder of waiting trials, if no trial waits. Raises RecordError."""
        spool = self._folder.spool
        if not self._waiting and spool.is_dir() and not any(spool.iterdir()):
            with plain_errors("remove", spool):
                disk.remove_folder(spool)

    def _may_be_among(self, result: Result, best: int) -> bool:
        # Until the trial is recorded, the best can only get better.
        if not can_win(result, self._objective):
            return False
        full = len(self._ranked) >= best
        return not full or order_key(result, self._objective) < order_key(self._ranked[best - 1], self._objective)

    def _may_keep_scores(self, result: Result) -> bool:
        # All trials that can win keep scores that are bits; only the best keep larger scores.
        if result.scores is None or not can_win(result, self._objective):
            return False
        return result.scores.kind is Kind.BITS or self._may_be_among(result, saved.BEST_WITH_VALUES)

    def _place(self, result: Result) -> None:
        if self._may_be_among(result, most := max(self._weights_kept, saved.BEST_WITH_VALUES)):
            ranked = sorted([*self._ranked, result], key=lambda trial: order_key(trial, self._objective))
            self._ranked = ranked[:most]

    def _delete_scores(self) -> None:
        numbers = [trial.number for trial in saved.select_scored(self._results, self._objective)]
        saved.delete_others(self._folder.scores, numbers)


def describe_foreign_trials(count: int, first: int, study: str | None = None) -> str:
    """Return a notice that `count` trials, which Optuna wrote into the record from number `first` on, are skipped.
    `study` is the name of the study that has these trials now, if they were moved."""
    now = f"; they are in the study '{study}' now, which `sweep import` reads" if study else ""
    return f"skipped {pluralize(count, 'trial')} that Optuna wrote into the record, from number {first}{now}"


def list_waiting(folder: SweepFolder, recorded: int, total: int | None) -> list[int]:
    """List the numbers of trials in the spool folder, which wait to be recorded. Raises RecordError.
    The numbers are from `recorded`, the number of recorded trials, to `total` - 1, or without a limit for None."""
    waiting = sorted(saved.list_numbered_files(folder.spool))
    return [number for number in waiting if recorded <= number and (total is None or number < total)]


def _decode_waiting(number: int, text: str, arrays: Weights) -> Result:
    try:
        about = json.loads(text)
        result = encoding.decode(number, about["state"], about["value"], about["texts"])
        weights, score_arrays = arrays[: about["weights"]] or None, arrays[about["weights"] :]
        scores = saved.parse_scores(about["scores"], score_arrays, result.scores_digest) if score_arrays else None
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the text in the file is damaged ({error})") from error
    if weights is not None and arrays_digest(weights) != result.weights_digest:
        raise ValueError("the weights in the file differ from their recorded digest")
    return replace(result, weights=weights, scores=scores)
