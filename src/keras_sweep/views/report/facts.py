"""What a page says of a sweep, read in one go from its record: no section reads for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from keras_sweep.record.facts import Facts, TestScores
from keras_sweep.space.search_space import Objective
from keras_sweep.sweep.comparison import Missed
from keras_sweep.sweep.winner import ValidationOutputs
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.events import Refit
from keras_sweep.trial.ranking import best_training
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.rows import LeaderboardRow, winning_row
from keras_sweep.views.report.axes import Axis, Colours, objective_axis, parameter_axes


@dataclass(frozen=True)
class SweepFacts:
    """A sweep as its record had it at one moment."""

    name: str
    objective: Objective
    record: Facts
    rows: Sequence[LeaderboardRow]  # the whole leaderboard
    comparison: Comparison  # of the winner with all others, on the validation rows
    results: Mapping[int, Result]
    card: Mapping[str, Any]  # of the winner's model; {} without one
    running: bool
    outputs: ValidationOutputs | str  # of the winner on the validation rows, or why there are none
    missed: Missed | None = None  # rows that no good trial gets right; None where that is not kept

    @cached_property
    def winner(self) -> LeaderboardRow | None:
        """The row of the winner."""
        return winning_row(self.rows)

    @cached_property
    def _training(self) -> Result | None:
        """The winner's training whose model stands for it: of its seeds, if it has several."""
        return None if self.winner is None else best_training(self.results[self.winner.number], self.objective)

    @cached_property
    def test(self) -> TestScores | None:
        """The last look at the test rows, if it was at the winner."""
        return None if self._training is None else self.record.test_of(self._training)

    @cached_property
    def refit(self) -> Refit | None:
        """The winner's training on all rows, if there was one."""
        return None if self._training is None else self.record.refit_of(self._training)

    @cached_property
    def axes(self) -> list[Axis]:
        """One for each parameter that the trials do not share."""
        return parameter_axes(self.rows, self.record.distributions)

    @cached_property
    def colours(self) -> Colours:
        """Which each trial has in every drawing."""
        return Colours.of(self.axes, self.winner.number if self.winner else None)

    @cached_property
    def value_axis(self) -> Axis | None:
        """The objective; None where no trial has a value."""
        return objective_axis(self.rows, self.objective)
