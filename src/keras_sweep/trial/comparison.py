"""Compare trials on validation rows: the winner's expected score on new rows, and how far behind other trials are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win, comparable, has_value, order_key, score
from keras_sweep.trial.result import Result, TrialState


@dataclass(frozen=True, slots=True)
class Estimate:
    """The winner's expected score on new rows like the validation rows."""

    value: float  # the score, less the gain from choosing the best of many
    low: float  # of the 95 % interval
    high: float
    naive: float  # the score on the leaderboard
    method: str


@dataclass(frozen=True, slots=True)
class Behind:
    """How far a trial is behind the winner, on the same rows."""

    behind: float  # in the metric's unit; a positive value is worse, for either direction of the metric
    stderr: float | None  # of `behind`; None for the winner, and where rows can't be compared in pairs
    tie: bool  # whether the trial is in the best set, which has the best of all with 95 %; False without row scores


@dataclass(frozen=True, slots=True)
class MoreTrials:
    """By how much more trials are likely to improve the best score, in the metric's unit."""

    trials: int  # how many more trials
    gain: float  # upper limit, from the gain by the last `trials` trials
    resolved: float  # the smallest difference of two good trials that the rows tell from chance

    @property
    def worth_it(self) -> bool:
        """Whether the gain from more trials is large enough that the validation rows can tell it from chance."""
        return self.gain >= self.resolved


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of trials with the winner, and the winner's expected score, as the leaderboard shows them."""

    best: int | None = None  # the trial that the other trials are compared with
    estimate: Estimate | None = None  # None without row scores
    behind: Mapping[int, Behind] = field(default_factory=dict)  # by trial number, for trials that could have won
    rows: int | None = None  # validation rows that were compared; None: values were compared
    more: MoreTrials | None = None  # None if it can't be estimated
    all_rows: int | None = None  # all validation rows, if only `rows` of them were compared
    units: str = ""  # what was drawn independently among these rows: "12,000 rows", "2,000 rows in 40 groups"

    def to_json(self) -> dict[str, Any]:
        behind = {str(number): (gap.behind, gap.stderr, gap.tie) for number, gap in self.behind.items()}
        return {**asdict(replace(self, behind={})), "behind": behind}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Comparison:
        """Build a comparison from the result of `to_json`. Raises LookupError or TypeError for other data."""
        estimate, more = fields["estimate"], fields["more"]
        parts = {
            "estimate": estimate and Estimate(**estimate),
            "behind": {int(number): Behind(*distance) for number, distance in fields["behind"].items()},
            "more": more and MoreTrials(**more),
        }
        return cls(**{**fields, **parts})


def compare_by_value(results: Sequence[Result], objective: Objective) -> Comparison:
    """Compare each trial with the best by value. No trial is in a best set, since values do not say which may be best.
    Imported trials are compared only if no trial can win."""
    rivals = [result for result in results if can_win(result, objective)]
    rivals = rivals or [result for result in results if comparable(result, objective)]
    best = min(rivals, key=lambda result: order_key(result, objective), default=None)
    if best is None or best.value is None:
        return Comparison()
    behind = {}
    for trial in rivals:
        # A mean over seeds is compared with the winner's mean, a single seed with the winner's first seed.
        value, best_value = score(trial)[0], score(best)[0] if trial.final else best.value
        assert value is not None and best_value is not None
        distance = objective.key(value) - objective.key(best_value)
        behind[trial.number] = Behind(distance, None, False)
    return Comparison(best.number, behind=behind)


def drop_lonely_ties(behind: dict[int, Behind]) -> dict[int, Behind]:
    """Return `behind` (trial number -> Behind). If the best trial is tied only with itself, its tie becomes false."""
    if sum(distance.tie for distance in behind.values()) > 1:
        return behind
    return {number: Behind(distance.behind, distance.stderr, False) for number, distance in behind.items()}


def usable_error(result: Result) -> float | None:
    """Return a trial's standard error, or None if it is unknown or 0. It is 0 if all rows have the same score."""
    is_known = has_value(result) and result.stderr is not None and math.isfinite(result.stderr) and result.stderr > 0
    return result.stderr if is_known else None


def find_doubts(name: str, trials: Sequence[Any]) -> list[str]:
    """Return a list with a warning if scores look wrong, else []. `name` is the metric that ranks the trials.
    Scores look wrong if a score differs from the score of the model's outputs, or all trials have the same score.
    `trials` are all results of a sweep, or all rows of its leaderboard."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    odd = next((trial for trial in complete if None not in (trial.value, trial.rows_value)), None)
    if odd is not None:
        evidence = f"trial {odd.number} has {odd.value:.4f}, but its outputs give {odd.rows_value:.4f}"
        cause = "the model's own `metrics` or `test_step` ignores the file's metrics, or a layer draws at random"
        return [f"{name} does not match the validation rows: {evidence}; usually {cause}"]
    if len(complete) < 3:  # two may have equal scores by chance
        return []
    first = {metric: value for metric, value in complete[0].metrics.items() if metric.startswith("val_")}
    same = [
        f"{metric} {value:.4f}"
        for metric, value in first.items()
        if value is not None and all(trial.metrics.get(metric) == value for trial in complete)
    ]
    cause = (
        "the model predicts the same for all rows (if a class is rare, rank by `val_auc`), the metric is never "
        "updated, or the rows are too few or too easy"
    )
    return [f"all {len(complete):,} trials have the same {', '.join(same)}; usually {cause}"] if same else []
