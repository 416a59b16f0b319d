"""The record as the loop sees it: a finished trial, and its weights while it is among the best."""

from __future__ import annotations

from dataclasses import replace

from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.weights import keep, save_weights, weights_file
from keras_sweep.space.sweep_spec import Objective
from keras_sweep.trial.result import Result, TrialState

KEPT = 10  # trials whose weights stay on disk


class TrialRecord:
    """Writes weights before the trial and removes others' after it, so that a kill leaves too many, never too few."""

    def __init__(self, study: StudyFile, objective: Objective, *, kept: int = KEPT) -> None:
        self._study = study
        self._objective = objective
        self._kept = kept
        self._results = study.results()
        self._best: list[Result] = []
        for result in self._results:
            self._place(result)
        keep(study.folder, {one.number for one in self._best})  # a kill may have left too many

    def results(self) -> list[Result]:
        """All trials in the order of their numbers, without weights."""
        return list(self._results)

    @property
    def best(self) -> list[int]:
        """The trials whose weights are kept, best first."""
        return [one.number for one in self._best]

    def add(self, result: Result) -> Result:
        """Keep one trial; return it without its weights, of which memory would not hold thousands.

        Raises RecordError, and then neither the trial nor a part of its weights is there.
        """
        light = replace(result, weights=None)
        best_before = self._best
        before = {one.number for one in best_before}
        self._place(light)
        numbers = {one.number for one in self._best}
        try:
            if result.number in numbers and result.weights is not None:
                save_weights(weights_file(self._study.folder, result.number), result.weights)
            self._study.add(result)
        except BaseException:
            self._best = best_before
            raise
        self._results.append(light)
        if before - numbers:
            keep(self._study.folder, numbers)
        return light

    def _place(self, result: Result) -> None:
        if result.state is TrialState.COMPLETE and result.value is not None:
            ranked = sorted([*self._best, result], key=lambda one: (self._objective.key(one.value or 0.0), one.number))
            self._best = ranked[: self._kept]
