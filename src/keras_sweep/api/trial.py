"""One trial of a sweep: as a record with its finalists, and beside the sweep that it is of."""

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
    """Made of a record of the rooms below, with all that it holds."""

    @classmethod
    def of(cls, found: Any, **more: Any) -> Self:
        """The same with these fields besides, or instead."""
        return cls(**{**{field.name: getattr(found, field.name) for field in fields(found)}, **more})


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Trial(Answer, Result):
    """A finished trial as the record has it.

    Attributes:
        params: its values, constants included; inactive parameters are not there.
        state: COMPLETE, PRUNED or FAIL; equal to these words as text.
        value: the objective; None for a trial without one.
        stderr: the standard error of the value over the validation rows; None where there is no formula.
        metrics: every logged metric at the scored epoch.
        curve: metric name -> its values, epoch by epoch.
        epochs: how many epochs were trained.
        seconds: the wall time of each part; `.total` is all of it.
        reason: why it ended early, if it did.
        engine: who asked for it: "optuna/tpe".
        finalists: the same configuration trained with other seeds, which are in their `.params`.
        seeds: its configuration over all seeds that it was trained with: `.count`, `.mean`, `.stderr`, `.unstable`;
            None for one. Once all finalists of a sweep are there, `.mean` is what ranks them, and `.exported` is the
            seed whose model stands for the configuration.
    """

    objective: Objective
    finalists: tuple[Trial, ...] = ()
    seeds: SeedScores | None = None

    @property
    def number(self) -> int:
        """Its number, counted from 0; of a finalist that of the trial whose configuration it is."""
        return self.recipe

    def __repr__(self) -> str:
        score = score_text(self.value, self.stderr) if self.value is not None else str(self.state)
        if self.seeds is not None:
            score += f", {' '.join(seeds_texts(self.seeds))}"
        return f"Trial({self.number}: {score}, {params_text(self.params)})"

    def _repr_html_(self) -> str:
        return trial_html(self, self.objective)


def trial_of(sweep: RecordedSweep, result: Result) -> Trial:
    """A result of the search of a sweep, with its finalists."""
    seeds, objective = seed_scores(result), sweep.objective
    if seeds is not None and result.final:
        exported = best_training(result, objective).finalist_seed
        seeds = replace(seeds, exported=sweep.facts.seed if exported is None else exported)
    finalists = tuple(Trial.of(one, objective=objective, seeds=seeds) for one in result.finalists)
    return Trial.of(result, objective=objective, seeds=seeds, finalists=finalists)


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """A trial beside the sweep that it is of, as the record had both at one moment."""

    sweep: RecordedSweep
    result: Result
