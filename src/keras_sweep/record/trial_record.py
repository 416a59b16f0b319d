"""The record as the loop sees it: finished trials in order, the weights of the best, and those that wait their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from keras_sweep.record.spool import Spool
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.weights import keep, save_weights, weights_file
from keras_sweep.space.objective import Objective
from keras_sweep.trial.ranking import can_win, order_key
from keras_sweep.trial.result import Result

KEPT = 10  # trials whose weights stay on disk


class TrialRecord:
    """Writes weights before the trial and removes others' after it, so that a kill leaves too many, never too few."""

    def __init__(
        self,
        study: StudyFile,
        objective: Objective,
        *,
        kept: int = KEPT,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """`notice` is called with a sentence for each waiting trial that is damaged."""
        self._study = study
        self._objective = objective
        self._kept = kept
        self._results = study.results()
        self._best: list[Result] = []
        for result in self._results:
            self._place(result)
        keep(study.folder, {one.number for one in self._best})  # a kill may have left too many
        self._spool = Spool(study.folder, following=len(self._results), notice=notice)

    def results(self) -> list[Result]:
        """All trials in the order of their numbers, without weights."""
        return list(self._results)

    @property
    def best(self) -> list[int]:
        """The trials whose weights are kept, best first."""
        return [one.number for one in self._best]

    def wait(self, result: Result) -> Result:
        """Keep a trial whose turn has not come; return it without its weights. Raises RecordError."""
        light = replace(result, weights=None)
        self._spool.keep(result if self._may_be_best(result) else light)
        return light

    def waiting(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Those of the trials that wait, by number, with their weights if they may be among the best.

        Raises RecordError.
        """
        found = {number: self._spool.read(number) for number in numbers}
        return {number: result for number, result in found.items() if result is not None}

    @property
    def numbers_waiting(self) -> list[int]:
        """The trials that wait, in order."""
        return self._spool.numbers

    def discard(self, number: int) -> None:
        """Forget a trial that waits. Raises RecordError."""
        self._spool.remove(number)

    def close(self) -> None:
        """The search is over. Raises RecordError."""
        self._spool.close()

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
        self._spool.remove(result.number)
        return light

    def _may_be_best(self, result: Result) -> bool:
        """Whether its weights may be kept once it is recorded: the best can only get better until then."""
        if not can_win(result, self._objective):
            return False
        full = len(self._best) == self._kept
        return not full or order_key(result, self._objective) < order_key(self._best[-1], self._objective)

    def _place(self, result: Result) -> None:
        if can_win(result, self._objective):
            ranked = sorted([*self._best, result], key=lambda one: order_key(one, self._objective))
            self._best = ranked[: self._kept]
