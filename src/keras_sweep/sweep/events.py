"""What happens during a sweep, as frozen records: the use cases emit them, views show them.

What happens while a trial trains is in `trial/events.py`.
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

if TYPE_CHECKING:  # who only reads results does without what checks a space file
    from keras_sweep.space.sweep_spec import SweepSpec


class EndReason(StrEnum):
    """Why a search ended. Each value is what views say and JSON has."""

    DONE = "done"  # as many trials as were asked for are recorded
    EXHAUSTED = "the space is exhausted"  # every different trial of the space has been tried
    GOOD_ENOUGH = "good enough"  # a trial has the value at which the space file says to stop
    OUT_OF_TIME = "time is up"
    INTERRUPTED = "interrupted"  # by a signal


SEARCHED = (EndReason.DONE, EndReason.EXHAUSTED, EndReason.GOOD_ENOUGH)  # no run of the same file searches on


@dataclass(frozen=True, slots=True)
class SweepStarted(Event):
    """The search begins, or goes on."""

    name: str
    folder: str
    engine: str
    runner: str
    total: int  # trials in total
    finished: tuple[Result, ...]  # already in the record
    objective: Objective
    space_size: float
    parameters: tuple[str, ...] = ()  # of the space, without its constants

    @classmethod
    def from_spec(
        cls, spec: SweepSpec, folder: SweepFolder, runner: str, total: int, finished: Sequence[Result]
    ) -> SweepStarted:
        """A sweep that is to have so many trials in total, of which some are finished."""
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
        )


@dataclass(frozen=True, slots=True)
class GenerationAsked(Event):
    """A batch of trials begins to train."""

    generation: int
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class TrialEnded(Event):
    """A trial ended and is kept: in the record, or beside it until those with lower numbers have ended."""

    result: Result


@dataclass(frozen=True, slots=True)
class FinalistsChosen(Event):
    """The search has ended, and its best recipes are trained again with new seeds; or none are, and `note` says why."""

    recipes: tuple[int, ...]  # the trials whose recipes these are, most promising first
    seeds: tuple[int, ...]
    finished: tuple[Result, ...]  # those of the trainings that are in the record already
    epochs: int  # that the others are to train
    note: str = ""  # why they are fewer than usual, and how to ask for all
    estimate: Callable[[], Estimate | None] = lambda: None  # of the search's winner, for whoever shows it


@dataclass(frozen=True, slots=True)
class FinalistEpochEnded(Event):
    """One finalist ended an epoch."""

    recipe: int  # the trial of the search whose recipe it is
    seed: int
    epoch: int  # counted from 1


@dataclass(frozen=True, slots=True)
class FinalistEnded(Event):
    """A finalist ended and is kept."""

    result: Result


@dataclass(frozen=True, slots=True)
class WinnerRefitted(Event):
    """The winner was trained once more, on all rows of training and validation."""

    refit: Refit
    earlier: bool = False  # whether that was in an earlier run, and is only told again


@dataclass(frozen=True, slots=True)
class TestEvaluated(TestLook, Event):
    """The winner was evaluated on the sealed test set."""

    looks: int  # how often this sweep has looked at the test set, this time included
    earlier: bool = False  # whether that was in an earlier run, and is only told again


@dataclass(frozen=True, slots=True)
class SweepEnded(Event):
    """The command is about to end."""

    name: str
    reason: EndReason
    results: tuple[Result, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)  # where the wall time went
    model: str | None = None  # path of best.keras
    kept: Mapping[int, int] = field(default_factory=dict)  # trial stopped in training -> epoch at which it is kept
    waiting: tuple[int, ...] = ()  # trials that ended and are kept until those with lower numbers are recorded
    comparison: Comparison | None = None  # of the results; None: by their values alone


def short_path(path: os.PathLike[str]) -> str:
    """The path as a user would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
