"""What validation rows say of a sweep's trials: the winner's likely true score, and how far others are behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win, comparable, has_value, order_key, score, winner
from keras_sweep.trial.result import Result, TrialState

PAIRED = "paired"  # trials are compared row by row, all comparisons together at 95 %
MARGINAL = "marginal"  # no scores of rows: a tie is a value within one standard error, the larger one


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the winner is likely to score on new rows like the validation rows."""

    value: float  # its score less what choosing the best of many added
    low: float  # of the 95 % interval
    high: float
    naive: float  # the score on the leaderboard
    method: str


@dataclass(frozen=True, slots=True)
class Behind:
    """How far a trial is behind the best, on the same rows."""

    behind: float  # in the metric's unit; above 0 is worse, whichever way the metric goes
    stderr: float | None  # of that difference; None where rows can't be compared one by one, and for the best itself
    tie: bool  # these rows can't tell it from the best


@dataclass(frozen=True, slots=True)
class MoreTrials:
    """What more trials are likely to bring, in the metric's unit."""

    trials: int  # as many more
    gain: float  # at most, going by the last as many
    resolved: float  # the smallest difference of two good trials that the rows tell from chance

    @property
    def worth_it(self) -> bool:
        """Whether the gain would be seen."""
        return self.gain >= self.resolved


@dataclass(frozen=True, slots=True)
class Comparison:
    """The winner against all others, as the leaderboard shows it."""

    best: int | None = None  # the trial that the others are compared with
    estimate: Estimate | None = None  # None without the scores of rows
    behind: Mapping[int, Behind] = field(default_factory=dict)  # by trial number, of those that could have won
    method: str = MARGINAL
    rows: int | None = None  # validation rows that were compared
    more: MoreTrials | None = None  # None where that can't be said

    def to_json(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {**asdict(self), "behind": {str(number): astuple(one) for number, one in self.behind.items()}}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Comparison:
        """What `to_json` gave. Raises LookupError or TypeError for anything else."""
        estimate, more = read["estimate"], read["more"]
        return cls(
            best=read["best"],
            estimate=None if estimate is None else Estimate(**estimate),
            behind={int(number): Behind(*one) for number, one in read["behind"].items()},
            method=read["method"],
            rows=read["rows"],
            more=None if more is None else MoreTrials(**more),
        )


def marginal(results: Sequence[Result], objective: Objective) -> Comparison:
    """Compare by values: those within one standard error, the larger one, of the best, on its rows, are ties.

    Imported trials are compared in a sweep that has no others.
    """
    counts = can_win if winner(results, objective) is not None else comparable
    rivals = [result for result in results if counts(result, objective)]
    best = min(rivals, key=lambda result: order_key(result, objective), default=None)
    if best is None or best.value is None:
        return Comparison()
    behind = {}
    for one in rivals:  # means over seeds are compared with the winner's mean, single seeds with its first seed
        value, leading = score(one)[0], score(best)[0] if one.final else best.value
        assert value is not None and leading is not None
        distance = objective.key(value) - objective.key(leading)
        width = max(read_error(best) or 0.0, read_error(one) or 0.0)
        behind[one.number] = Behind(distance, None, one.rows == best.rows and abs(distance) <= width)
    return Comparison(best.number, behind=drop_lonely_ties(behind))


def drop_lonely_ties(behind: dict[int, Behind]) -> dict[int, Behind]:
    """The same, without a tie that is the only one: a best trial that stands alone ties with nobody."""
    if sum(one.tie for one in behind.values()) > 1:
        return behind
    return {number: Behind(one.behind, one.stderr, False) for number, one in behind.items()}


def read_error(result: Result) -> float | None:
    """The standard error; None where it is not known: rows that are all alike say nothing of others."""
    known = has_value(result) and result.stderr is not None and math.isfinite(result.stderr) and result.stderr > 0
    return result.stderr if known else None


def doubts(name: str, trials: Sequence[Any]) -> list[str]:
    """Say in a line, if so, that scores contradict their rows, or are all the same, and what that usually means.

    The trials are results, or rows of a leaderboard, of a whole sweep; `name` is the metric that ranks them.
    """
    complete = [one for one in trials if one.state is TrialState.COMPLETE]
    parted = next((one for one in complete if None not in (one.value, one.rows_value)), None)
    if parted is not None:
        told = f"trial {parted.number} has {parted.value:.4f}, its outputs on those rows give {parted.rows_value:.4f}"
        usually = "the model's own `metrics` or `test_step` leaves out the file's metrics, or a layer draws at random"
        return [f"{name} contradicts its rows: {told}; usually {usually}"]
    if len(complete) < 3:  # two may have equal scores by chance
        return []
    first = {metric: value for metric, value in complete[0].metrics.items() if metric.startswith("val_")}
    same = [
        f"{metric} {value:.4f}"
        for metric, value in first.items()
        if value is not None and all(one.metrics.get(metric) == value for one in complete)
    ]
    usually = (
        "the model gives all rows one answer (of two classes of unlike sizes, rank by `val_auc`), the metric is never "
        "updated, or the rows are too few or too easy to tell trials apart"
    )
    return [f"the same in all {len(complete):,} trials: {', '.join(same)}; usually {usually}"] if same else []
