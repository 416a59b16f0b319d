"""One trial of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.finalists import SeedScores, seed_scores
from keras_sweep.trial.ranking import best_training
from keras_sweep.trial.result import Result, Seconds, TrialState
from keras_sweep.views.leaderboard.columns import seeds_texts
from keras_sweep.views.terminal.text import params_text, score_text

if TYPE_CHECKING:
    from keras_sweep.trial.result import Curve


@dataclass(frozen=True, slots=True, repr=False)
class Trial:
    """A finished trial as the record has it. Curves are a value an epoch; seconds are wall time."""

    result: Result
    objective: Objective
    recipe: Result | None = None  # of a finalist: the trial whose recipe it is
    seed: int | None = None  # of the search, with which all its trials were trained

    @property
    def number(self) -> int:
        """Its number, counted from 0; of a finalist that of the trial whose recipe it is."""
        return self.result.recipe

    @property
    def params(self) -> Mapping[str, Value]:
        """Its values, constants included; inactive parameters are not there."""
        return dict(self.result.params)

    @property
    def state(self) -> TrialState:
        """COMPLETE, PRUNED or FAIL; equal to these words as text."""
        return self.result.state

    @property
    def value(self) -> float | None:
        """The objective; None for a trial without one."""
        return self.result.value

    @property
    def stderr(self) -> float | None:
        """The standard error of the value over the validation rows; None where there is no formula."""
        return self.result.stderr

    @property
    def metrics(self) -> Mapping[str, float]:
        """Every logged metric at the scored epoch."""
        return self.result.metrics

    @property
    def curve(self) -> Curve:
        """Metric name -> its values, epoch by epoch."""
        return self.result.curve

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return self.result.epochs

    @property
    def seconds(self) -> Seconds:
        """Where its time went; `.total` is all of it."""
        return self.result.seconds

    @property
    def seeds(self) -> SeedScores | None:
        """Its recipe over all seeds that it was trained with: `.count`, `.mean`, `.stderr`, `.unstable`; None for one.

        Once all finalists of a sweep are there, `.mean` is what ranks them, and `.exported` is the seed whose model
        stands for the recipe.
        """
        recipe = self.recipe or self.result
        scores = seed_scores(recipe)
        if scores is None or not recipe.final:
            return scores
        exported = best_training(recipe, self.objective).finalist_seed
        return replace(scores, exported=self.seed if exported is None else exported)

    @property
    def finalists(self) -> list[Trial]:
        """The same recipe trained with other seeds, which are in their `.params`."""
        recipe = self.recipe or self.result
        return [Trial(one, self.objective, recipe, self.seed) for one in recipe.finalists]

    @property
    def engine(self) -> str:
        """Who asked for it: "optuna/tpe"."""
        return self.result.engine

    @property
    def reason(self) -> str | None:
        """Why it ended early, if it did."""
        return self.result.reason

    def __repr__(self) -> str:
        score = score_text(self.value, self.stderr) if self.value is not None else str(self.state)
        if self.seeds is not None:
            score += f", {' '.join(seeds_texts(self.seeds))}"
        return f"Trial({self.number}: {score}, {params_text(self.params)})"

    def _repr_html_(self) -> str:
        from keras_sweep.views.notebook import trial_html

        return trial_html(self.result, self.objective)
