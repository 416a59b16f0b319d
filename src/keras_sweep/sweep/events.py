"""Define the events of a sweep as frozen records. The functions of this package emit them, and views show them.

Events inside a trial's training are in `trial/events.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from keras_sweep.record.facts import Refit, TestLook
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.comparison import Comparison, Estimate
from keras_sweep.trial.events import Event
from keras_sweep.trial.result import Result, Suggestion

if TYPE_CHECKING:  # reading results must not import the checks of space files
    from keras_sweep.space.sweep_spec import SweepSpec


class EndReason(StrEnum):  # views and JSON show the values
    DONE = "done"  # all requested trials are recorded
    EXHAUSTED = "the space is exhausted"  # every different configuration has a trial
    GOOD_ENOUGH = "good enough"  # a trial reached the value of `search.stop`
    NO_BETTER = "no better trial"  # in the last trials, as many as `search.stop.patience`
    OUT_OF_TIME = "time is up"
    INTERRUPTED = "interrupted"  # by a signal


EARLY = (EndReason.EXHAUSTED, EndReason.GOOD_ENOUGH, EndReason.NO_BETTER)
SEARCHED = (EndReason.DONE, *EARLY)  # the same command again has nothing to search


@dataclass(frozen=True, slots=True)
class SweepStarted(Event):
    """The search begins or resumes."""

    name: str
    folder: str
    engine: str
    runner: str
    total: int  # trials in total
    finished: tuple[Result, ...]  # already in the record
    objective: Objective
    space_size: float
    parameters: tuple[str, ...] = ()  # without constants
    rows: str = ""  # which rows train, validate and test

    @classmethod
    def from_spec(
        cls,
        spec: SweepSpec,
        folder: SweepFolder,
        runner: str,
        total: int,
        finished: Sequence[Result],
        rows: str = "",
    ) -> SweepStarted:
        return cls(
            name=spec.name,
            folder=short_path(folder.path),
            engine=spec.search.engine_name,
            runner=runner,
            total=total,
            finished=tuple(finished),
            objective=spec.objective,
            space_size=spec.space.size,
            parameters=tuple(spec.space.distributions),
            rows=rows,
        )


@dataclass(frozen=True, slots=True)
class GenerationAsked(Event):
    """A generation of trials begins to train."""

    generation: int
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class TrialEnded(Event):
    """A trial ended and is saved. It waits in a folder until all trials with lower numbers are in the record."""

    result: Result


@dataclass(frozen=True, slots=True)
class FinalistsChosen(Event):
    """The best configurations train again with new seeds. If no finalists are chosen, `note` says why."""

    recipes: tuple[int, ...]  # numbers of the chosen trials, most promising first
    seeds: tuple[int, ...]
    finished: tuple[Result, ...]  # finalists in the record already
    epochs: int  # that the missing finalists will train
    note: str = ""  # why there are fewer finalists than usual, and how to ask for all
    estimate: Callable[[], Estimate | None] = lambda: None  # computes the expected score of the search's winner


@dataclass(frozen=True, slots=True)
class FinalistEpochEnded(Event):
    """An epoch of a finalist's training ended."""

    recipe: int  # number of the trial with the same configuration
    seed: int
    epoch: int  # counted from 1


@dataclass(frozen=True, slots=True)
class FinalistEnded(Event):
    """The training of a finalist ended and is saved."""

    result: Result


@dataclass(frozen=True, slots=True)
class WinnerRefitted(Event):
    """The winner was trained again on all rows of training and validation."""

    refit: Refit
    earlier: bool = False  # whether an earlier run did this


@dataclass(frozen=True, slots=True)
class TestEvaluated(TestLook, Event):
    """The winner was evaluated on the sealed test rows."""

    looks: int  # evaluations on the test rows, including this evaluation
    earlier: bool = False  # whether an earlier run did this


@dataclass(frozen=True, slots=True)
class SweepEnded(Event):
    """The run ends: every result is saved, and the command is about to return."""

    name: str
    reason: EndReason
    results: tuple[Result, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)  # part of the run -> wall time
    model: str | None = None  # path of best.keras; "" if trials are no models
    kept: Mapping[int, int] = field(default_factory=dict)  # trial stopped in training -> epoch of its checkpoint
    waiting: tuple[int, ...] = ()  # ended trials that wait until lower numbers are recorded
    comparison: Comparison | None = None  # None: results are compared by their values alone


def short_path(path: os.PathLike[str]) -> str:
    """Return the shorter of the path and the path relative to the current folder."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
