"""Scores that can't be what they are called: they contradict their rows, or are the same whatever is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_sweep.trial.result import TrialState

LEAST = 3  # trials: two may have equal scores by chance


def doubts(name: str, trials: Sequence[Any]) -> list[str]:
    """What to say of them, and what it usually means: a line, or none.

    Args:
        name: the metric that trials are ranked by.
        trials: results, or rows of a leaderboard, of a whole sweep.
    """
    complete = [one for one in trials if one.state is TrialState.COMPLETE]
    parted = next((one for one in complete if one.rows_value is not None), None)
    if parted is not None:
        told = f"trial {parted.number} has {parted.value:.4f}, its outputs on those rows give {parted.rows_value:.4f}"
        usually = "the model's own `metrics` or `test_step` leaves out the file's metrics, or a layer draws at random"
        return [f"{name} contradicts its rows: {told}; usually {usually}"]
    if len(complete) < LEAST:
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
