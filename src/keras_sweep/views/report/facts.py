"""What a page says of a sweep, read in one go from its record: no section reads for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from keras_sweep.errors import SweepError
from keras_sweep.record.facts import TestScores
from keras_sweep.record.lock import living_owner
from keras_sweep.sweep.comparison import Missed, RecordedSweep, missed_rows
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.sweep.winner import ValidationOutputs, winner_outputs
from keras_sweep.trial.ranking import best_training
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, rows_of, winning_row
from keras_sweep.views.report.axes import Axis, Colours, objective_axis, parameter_axes


@dataclass(frozen=True)
class SweepFacts:
    """A sweep as its record had it at one moment, and what belongs to its winner."""

    sweep: RecordedSweep
    running: bool
    outputs: ValidationOutputs | str  # of the winner on the validation rows, or why there are none
    missed: Missed | None = None  # rows that no good trial gets right; None where that is not kept

    @classmethod
    def read(cls, access: SweepAccess) -> SweepFacts:
        """As the record is now, which may be growing. Raises RecordError."""
        sweep = RecordedSweep.read(access.folder)
        if living_owner(access.folder) is not None:
            return cls(sweep, True, "the sweep still runs")
        return cls(sweep, False, "no trial has won" if sweep.best is None else _outputs(access), missed_rows(sweep))

    @cached_property
    def rows(self) -> Sequence[LeaderboardRow]:
        return rows_of(self.sweep)

    @property
    def ranking(self) -> Ranking:
        """All rows, with what their ties are of."""
        return Ranking(self.sweep.objective, self.sweep.comparison, self.rows, self.rows)

    @cached_property
    def winner(self) -> LeaderboardRow | None:
        return winning_row(self.rows)

    @property
    def test(self) -> TestScores | None:
        """The last look at the test rows, if it was at the winner."""
        best, facts = self.sweep.best, self.sweep.facts
        return None if best is None else facts.test_of(best_training(best, facts.objective))

    @cached_property
    def axes(self) -> list[Axis]:
        """One for each parameter that the trials do not share."""
        return parameter_axes(self.rows, self.sweep.facts.distributions)

    @cached_property
    def value_axis(self) -> Axis | None:
        """The objective; None where no trial has a value."""
        return objective_axis(self.rows, self.sweep.objective)

    @cached_property
    def colours(self) -> Colours:
        """Which each trial has in every drawing."""
        return Colours.of(self.axes, self.winner.number if self.winner else None)


def _outputs(access: SweepAccess) -> ValidationOutputs | str:
    """Those of the winner, or why there are none: the page is right without them."""
    try:
        return winner_outputs(access)
    except SweepError as error:
        return f"{error.message}. {error.hint}" if error.hint else error.message
    except Exception as error:  # weights that do not fit, a layer that is not there, code of the user's
        return f"the winner's model can't be used ({type(error).__name__}: {error})"
