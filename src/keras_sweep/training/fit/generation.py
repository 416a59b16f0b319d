"""The lanes of one generation that `fit` trains, each alone: which must be there, and when rungs compare them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keras_sweep.space.sweep_spec import SweepSpec, Training
from keras_sweep.training.build_trial import fits_itself
from keras_sweep.training.fit.group import FitGroup
from keras_sweep.training.fit.programs import FitPrograms
from keras_sweep.training.generation import TrainingGeneration
from keras_sweep.training.group import Group
from keras_sweep.training.lane import EndStates, Lane
from keras_sweep.training.runner import StopsAt, Watch
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Suggestion


class FitGeneration(TrainingGeneration):
    """Lanes of a trial each. At a rung each is compared alone, after those before it."""

    together = False

    def __init__(self, spec: SweepSpec, programs: FitPrograms, kept: EndStates | None, watch: Watch) -> None:
        super().__init__(spec, programs, kept, watch)
        programs.emit = watch.emit

    def _regroup(self, waiting: Sequence[Group]) -> None:
        """Each has a group of its own."""

    def _needed(self, trials: Sequence[Suggestion], wanted: frozenset[int]) -> list[tuple[Suggestion, None]]:
        """The wanted trials, and those before them that rungs compare with them."""
        judge = self._watch.judge
        last = -1 if isinstance(judge, StopsAt) else max(wanted, default=-1)  # which compares no trials
        before = [one for one in trials if one.number < last]
        compared = {one.number for one in before if judge.rungs(training_plan(self._spec, one.params).epochs)}
        return [(one, None) for one in trials if one.number in wanted | compared]

    def _lane(self, suggestion: Suggestion, own: None, *, wanted: bool) -> Lane:
        plan = training_plan(self._spec, suggestion.params)
        rungs = self._watch.judge.rungs(plan.epochs)
        if fits_itself(self._spec):  # each of its phases is watched by Keras's own callbacks
            plan = replace(plan, training=Training())
        return Lane(suggestion, None, plan, math.nan, 0, {}, rungs, own, None, wanted)

    def _group(self, numbers: Sequence[int], epoch: int, begins: Any = None, *_: Any) -> FitGroup:
        (number,) = numbers
        return FitGroup(
            self._programs, self.lanes[number], self._spec.objective, epoch, begins[number] if begins else None
        )
