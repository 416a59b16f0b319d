"""`sweep baseline`: the reference model's scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.terminal.text import score_text, seconds_text

if TYPE_CHECKING:
    from keras_sweep.sweep.baseline import Baseline


def baseline_record(baseline: Baseline) -> dict[str, Any]:
    """The baseline as plain data."""
    return {
        "model": baseline.model,
        "metric": baseline.metric,
        "fold_scores": list(baseline.fold_scores),
        "mean_score": baseline.mean_score,
        "validation": dict(baseline.validation),
        "seconds": baseline.seconds,
    }


def baseline_json(baseline: Baseline) -> str:
    """One object, a line of strict JSON."""
    return strict_json(baseline_record(baseline)) + "\n"


def print_baseline(console: Console, baseline: Baseline) -> None:
    """The cross-validated score, and the validation scores."""
    console.print(Text.assemble((baseline.model, "bold"), f"  {seconds_text(baseline.seconds)}"))
    folds = ", ".join(score_text(score) for score in baseline.fold_scores)
    console.print(f"  cross-validated {baseline.metric}  {score_text(baseline.mean_score)}  ({folds})")
    for name, value in baseline.validation.items():
        console.print(f"  {name}  {score_text(value)}")
