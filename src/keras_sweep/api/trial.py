"""One trial of a sweep, with its finalists (`Trial`) or with its sweep (`ShownTrial`)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import SeedScores, best_training, seed_scores
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.texts import seeds_texts
from keras_sweep.views.notebook import trial_html
from keras_sweep.views.terminal.text import params_text, score_text


class Answer:
    """Base of the result classes of the API. Each adds a display in notebooks to an internal dataclass."""

    @classmethod
    def from_record(cls, record: Any, **more: Any) -> Self:
        """Copy the internal object `record` into this class, which has its fields. `more` adds or replaces fields."""
        return cls(**{**{field.name: getattr(record, field.name) for field in fields(record)}, **more})


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Trial(Answer, Result):
    """A finished trial.

    Attributes:
        params: the values of all active parameters and constants.
        state: "COMPLETE", "PRUNED" or "FAIL".
        value: the objective's value; None if the trial has no value.
        stderr: the standard error of the value over the validation rows; None if the metric has no formula for it.
        metrics: every logged metric at the epoch that `value` is from.
        curve: metric name -> its value after each epoch.
        epochs: how many epochs were trained.
        seconds: the wall times `.sampler`, `.compile`, `.train` and `.validate`, in seconds; `.total` is the sum.
        reason: why the trial ended early; None if it trained to its end.
        engine: the engine and sampler that suggested the trial: "optuna/tpe".
        finalists: trainings of the same configuration with other seeds; `.params` has the seed.
        seeds: the scores of the configuration over several seeds; None without finalists. `.count` seeds have the mean
            `.mean` with standard error `.stderr`. `.unstable` says whether they differ by more than chance. When all
            finalists are trained, `.mean` ranks the configuration. The exported model has the seed `.exported`.
    """

    objective: Objective
    finalists: tuple[Trial, ...] = ()
    seeds: SeedScores | None = None

    @property
    def number(self) -> int:
        """The trial's number, counted from 0. A finalist has the number of the trial with its configuration."""
        return self.recipe

    def __repr__(self) -> str:
        score = score_text(self.value, self.stderr) if self.value is not None else str(self.state)
        if self.seeds is not None:
            score += f", {' '.join(seeds_texts(self.seeds))}"
        return f"Trial({self.number}: {score}, {params_text(self.params)})"

    def _repr_html_(self) -> str:
        return trial_html(self, self.objective)


def make_trial(sweep: RecordedSweep, result: Result) -> Trial:
    seeds, objective = seed_scores(result), sweep.objective
    if seeds is not None and result.final:
        exported = best_training(result, objective).finalist_seed
        seeds = replace(seeds, exported=sweep.facts.seed if exported is None else exported)
    finalists = tuple(Trial.from_record(finalist, objective=objective, seeds=seeds) for finalist in result.finalists)
    return Trial.from_record(result, objective=objective, seeds=seeds, finalists=finalists)


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """A trial, `.result`, and the record of its sweep, `.sweep`, both read at the same moment."""

    sweep: RecordedSweep
    result: Result
