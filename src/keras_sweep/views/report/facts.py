"""What a page says of a sweep, read in one go from its record: no section reads for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from keras_sweep.record.lock import living_owner
from keras_sweep.sweep.comparison import Missed, RecordedSweep, missed_rows
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.sweep.winner import ValidationOutputs, winner_outputs
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, rows_of, varying_names, winning_row
from keras_sweep.views.report.axes import COLOURS, PREFERRED, Axis, Colours, clipped_range, parameter_axis
from keras_sweep.views.terminal.console import error_lines

WIDE = 20.0  # how often a goal's greatest value holds the least, for an axis to be logarithmic


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
        outputs: ValidationOutputs | str
        try:  # the page is right without them
            outputs = "no trial has won" if sweep.best is None else winner_outputs(access)
        except Exception as error:  # also weights that do not fit, a layer that is not there, code of the user's
            outputs = " ".join(error_lines(error)).removesuffix(".")
        return cls(sweep, False, outputs, missed_rows(sweep))

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

    @cached_property
    def axes(self) -> list[Axis]:
        """One for each parameter that the trials do not share, in the order of the space."""
        known = self.sweep.facts.distributions
        names = sorted(varying_names(self.rows), key=lambda name: [*known, name].index(name))
        return [parameter_axis(name, self.rows, known.get(name)) for name in names]

    @cached_property
    def value_axis(self) -> Axis | None:
        """The objective; its worst values lie beyond the axis. None where no trial has a value."""
        values, objective = {row.number: row.value for row in self.rows if row.value is not None}, self.sweep.objective
        return Axis(objective.name, *clipped_range(values.values(), objective), values) if values else None

    @cached_property
    def goal_axes(self) -> list[Axis]:
        """One for each further goal of which there are values."""
        found = []
        for name in (goal.name for goal in self.sweep.objective.further):
            known = {row.number: value for row in self.rows if (value := row.metrics.get(name)) is not None}
            if known:
                whole = all(value.is_integer() for value in known.values())
                low, high = min(known.values()), max(known.values())
                found.append(Axis(name, low, high, known, log=low > 0 and high >= WIDE * low, whole=whole))
        return found

    @cached_property
    def colours(self) -> Colours:
        """Which each trial has in every drawing."""
        few = [axis for axis in self.axes if axis.choices is not None and len(axis.choices) <= COLOURS]
        axis = min(few, key=lambda one: one.name != PREFERRED, default=None)
        return Colours(axis, self.winner.number if self.winner else None)
