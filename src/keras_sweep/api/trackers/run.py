"""A trial as a tracker of experiments takes it, and what a tracker promises."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.trial.ranking import best_training, imported, seed_scores
from keras_sweep.trial.result import Curve, Result

MARK = "keras_sweep.json"  # the file beside a run on disk that says which it is, and that it is whole


@dataclass(frozen=True, slots=True)
class Run:
    """A trial of a sweep with the trainings of its configuration with other seeds.

    Metrics and scores have names of ASCII letters, digits and `_`, which all trackers take.
    """

    id: str  # "dense-36-1f0c29ab": another sweep of that name has others
    sweep: str
    number: int
    params: Mapping[str, object]  # values that JSON has
    curves: Curve  # of the trial; as "seed_43/val_loss" of its finalists, in the order of their training
    scores: Mapping[str, float]  # of the whole trial: "value", "stderr", "seconds", "seeds_mean"
    tags: Mapping[str, str]  # "state", "reason", "engine", "winner"

    @property
    def name(self) -> str:
        """What it is called among the runs: `trial-36`."""
        return f"trial-{self.number}"

    @property
    def mark(self) -> str:
        """A digest of all that is logged of it: a run that bears the mark is there whole, and as it is now."""
        return _digest(self.id, self.params, self.curves, self.scores, self.tags)


class Tracker(Protocol):
    """Where the runs of one sweep go. Each method may raise what its package raises."""

    place: str  # what a user is told of where that is

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Find the place of the sweep of that name; `output` is the folder that the user asked for, if any."""

    def marks(self) -> Mapping[str, str]:
        """The marks of the runs of the sweep that are there whole, by the ids of the runs."""

    def log(self, run: Run, files: Sequence[Path]) -> None:
        """Write a run with these files, and its mark last; one of that id that is there becomes as this one."""


def run_of(sweep: RecordedSweep, result: Result, *, is_winner: bool) -> Run:
    """A trial of a sweep as a run; of the winner of a sweep that has ended more is known."""
    facts, seeds = sweep.facts, seed_scores(result)
    own_curves: Curve = {safe(name): curve for name, curve in result.curve.items()}
    curves = dict(own_curves)
    for one in result.finalists:
        curves |= {f"seed_{one.finalist_seed}/{safe(name)}": curve for name, curve in one.curve.items()}
    scores = {
        "value": result.value,
        "stderr": result.stderr,
        **{safe(goal.name): result.goal(goal.name) for goal in facts.goals},
        **({"seeds_mean": seeds.mean, "seeds_stderr": seeds.stderr} if seeds else {}),
        "epochs": result.epochs,
        "seconds": result.seconds.total,
    }
    tags = {"state": result.state.value, "reason": result.reason, "engine": result.engine, "runner": result.runner}
    own = {} if imported(result) else {"seed": facts.seed}
    params = {
        ".".join(map(safe, name.split("."))): list(value) if isinstance(value, tuple) else value  # `[64, 32]` in a file
        for name, value in {**own, **result.params}.items()
    }
    if is_winner:
        estimate, test = sweep.comparison.estimate, facts.test_of(best_training(result, sweep.objective))
        if estimate is not None:
            scores |= {"estimate": estimate.value, "estimate_low": estimate.low, "estimate_high": estimate.high}
        scores |= {f"test_{safe(name)}": value for name, value in (test.scores if test else {}).items()}
        tags |= {"card": facts.card, "of_trials": sweep.digest}  # the page shows all trials
    return Run(
        id=f"{sweep.folder.name}-{result.number}-{_digest(params, own_curves, scores['seconds'])[:8]}",
        sweep=sweep.folder.name,
        number=result.number,
        params=params,
        curves=curves,
        # A metric of the user's that is called `value` keeps its name.
        scores={
            f"trial_{name}" if name in own_curves else name: float(value)
            for name, value in scores.items()
            if value is not None
        },
        tags={**{name: text for name, text in tags.items() if text}, "winner": str(is_winner).lower()},
    )


def safe(name: str) -> str:
    """A name in which each character that a tracker may refuse is written by its code: `top 5` is `top_20_5`."""
    return re.sub(r"[^A-Za-z0-9_]", lambda match: f"_{ord(match[0]):x}_", name)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
