"""The record as the loop sees it: finished trials in order, scores of rows, weights of the best, those that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from keras_sweep.record.row_scores import BEST_WITH_VALUES, save_scores, scores_file, with_scores
from keras_sweep.record.spool import Spool
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.weights import delete_others, save_weights, weights_file
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win, order_key
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind

BEST_WEIGHTS = 10  # trials whose weights stay on disk


class TrialRecord:
    """Writes a trial's files before the trial and removes others' after it: a kill leaves too many, never too few."""

    def __init__(
        self,
        study: StudyFile,
        objective: Objective,
        *,
        kept: int = BEST_WEIGHTS,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """`notice` is called with a sentence for each waiting trial that is damaged."""
        self._study = study
        self._objective = objective
        self._kept = kept
        self._results = study.results()
        self._ranked: list[Result] = []  # the best, as many as keep weights or scores
        for result in self._results:
            self._place(result)
        delete_others(study.folder.weights, self.best)  # a kill may have left too many
        delete_others(study.folder.scores, [one.number for one in with_scores(self._results, objective)])
        self._spool = Spool(study.folder, following=len(self._results), notice=notice)

    def results(self) -> list[Result]:
        """All trials in the order of their numbers, without weights."""
        return list(self._results)

    @property
    def best(self) -> list[int]:
        """The trials whose weights are kept, best first."""
        return [one.number for one in self._ranked[: self._kept]]

    def wait(self, result: Result) -> Result:
        """Keep a trial whose turn has not come; return it without its weights and scores. Raises RecordError."""
        weights = result.weights if self._may_be_among(result, self._kept) else None
        scores = result.scores if self._may_keep_scores(result) else None
        light = result.light()
        self._spool.keep(replace(light, weights=weights, scores=scores))
        return light

    def waiting(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Those of the trials that wait, by number, with weights and scores if they may be among the best.

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
        """Keep one trial; return it without its weights and scores, of which memory would not hold thousands.

        Raises RecordError, and then neither the trial nor a part of its weights or scores is there.
        """
        light, folder = result.light(), self._study.folder
        scores = result.scores if self._may_keep_scores(result) else None
        ranked_before, before = self._ranked, set(self.best)
        self._place(light)
        try:
            if result.number in self.best and result.weights is not None:
                save_weights(weights_file(folder, result.number), result.weights)
            if scores is not None:
                save_scores(scores_file(folder, result.number), scores)
            self._study.add(light)
        except BaseException:
            self._ranked = ranked_before
            raise
        self._results.append(light)
        if before - set(self.best):
            delete_others(folder.weights, self.best)
        if scores is not None and scores.kind is not Kind.BITS and len(self._ranked) == len(ranked_before):
            delete_others(folder.scores, [one.number for one in with_scores(self._results, self._objective)])
        self._spool.remove(result.number)
        return light

    def _may_be_among(self, result: Result, best: int) -> bool:
        """Whether it may be among so many best once it is recorded: they can only get better until then."""
        if not can_win(result, self._objective):
            return False
        full = len(self._ranked) >= best
        return not full or order_key(result, self._objective) < order_key(self._ranked[best - 1], self._objective)

    def _may_keep_scores(self, result: Result) -> bool:
        """Whether its scores may be kept: bits of all that can win, more than bits of the best alone."""
        if result.scores is None or not can_win(result, self._objective):
            return False
        return result.scores.kind is Kind.BITS or self._may_be_among(result, BEST_WITH_VALUES)

    def _place(self, result: Result) -> None:
        if can_win(result, self._objective):
            ranked = sorted([*self._ranked, result], key=lambda one: order_key(one, self._objective))
            self._ranked = ranked[: max(self._kept, BEST_WITH_VALUES)]
