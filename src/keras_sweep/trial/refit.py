"""The winner trained once more, on all rows of training and validation: the model that is tested and exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import best_training, winner
from keras_sweep.trial.result import Result


@dataclass(frozen=True, slots=True)
class Refit:
    """A training on all rows. What it scores on rows that it was trained on says nothing of new ones."""

    trial: int  # whose recipe it is
    seed: int | None  # of the finalist whose training it repeats; None: the trial's own
    epochs: int  # as many as its value is of
    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy": on those rows, to tell the model by
    digest: str  # of its weights

    @property
    def text(self) -> str:
        """`trained again on all 60,000 rows for 17 epochs`."""
        return f"trained again on all {self.rows:,} rows for {self.epochs:,} epoch" + "s" * (self.epochs != 1)


def recorded_refit(attributes: Mapping[str, Any], training: Result) -> Refit | None:
    """The one that the record tells of, if it repeats this training."""
    found = attributes.get("refit")
    names = (field.name for field in fields(Refit))
    refit = Refit(**{name: found[name] for name in names}) if isinstance(found, dict) else None
    return refit if refit and (refit.trial, refit.seed) == (training.recipe, training.finalist_seed) else None


def refit_of_winner(attributes: Mapping[str, Any], results: Iterable[Result], objective: Objective) -> Refit | None:
    """The one that the record tells of, if it is of its winner."""
    best = winner(results, objective)
    return None if best is None else recorded_refit(attributes, best_training(best, objective))
