"""What a sweep's validation rows say of its trials: the winner's likely true score, and who is how far behind it.

Plain numbers without NumPy, so that who only reads a sweep imports nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

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

    @property
    def stderr(self) -> float:
        """A standard error with about that interval."""
        return (self.high - self.low) / 3.92


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
        behind = {str(number): [one.behind, one.stderr, one.tie] for number, one in self.behind.items()}
        estimate = None if self.estimate is None else asdict(self.estimate)
        about = {"best": self.best, "estimate": estimate, "method": self.method, "rows": self.rows}
        about["more"] = None if self.more is None else asdict(self.more)
        return {**about, "behind": behind}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Comparison:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        estimate, more = read["estimate"], read["more"]
        best, rows = read["best"], read["rows"]
        return cls(
            None if best is None else int(best),
            None if estimate is None else _estimate(estimate),
            {int(number): _behind(*one) for number, one in read["behind"].items()},
            str(read["method"]),
            None if rows is None else int(rows),
            None if more is None else MoreTrials(int(more["trials"]), float(more["gain"]), float(more["resolved"])),
        )


def _estimate(read: Mapping[str, Any]) -> Estimate:
    value, low, high, naive = (float(read[name]) for name in ("value", "low", "high", "naive"))
    return Estimate(value, low, high, naive, str(read["method"]))


def _behind(behind: Any, stderr: Any, tie: Any) -> Behind:
    return Behind(float(behind), None if stderr is None else float(stderr), bool(tie))


def shift(estimate: Estimate, test: float, stderr: float) -> float:
    """By how many standard errors a test score differs from what the validation rows promised.

    Two and more say that the test rows are unlike the validation rows. It is not selection: that is taken off already.
    """
    error = math.hypot(estimate.stderr, stderr)
    return (test - estimate.value) / error if error > 0 else 0.0
