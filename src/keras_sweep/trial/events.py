"""What happens during a sweep, as frozen records: the loop emits them, views show them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.comparison import Comparison, Estimate
from keras_sweep.trial.result import Curve, Result, Suggestion


class EndReason(StrEnum):
    """Why a search ended. Each value is what views say and JSON has."""

    DONE = "done"  # as many trials as were asked for are recorded
    EXHAUSTED = "the space is exhausted"  # every different trial of the space has been tried
    GOOD_ENOUGH = "good enough"  # a trial has the value at which the space file says to stop
    OUT_OF_TIME = "time is up"
    INTERRUPTED = "interrupted"  # by a signal


SEARCHED = (EndReason.DONE, EndReason.EXHAUSTED, EndReason.GOOD_ENOUGH)  # no run of the same file searches on


def exhausted_text(trials: int) -> str:
    """What is said of a space of which so many trials are all that there are."""
    which = f"every one of the {trials} different trials" if trials > 1 else "the one trial"
    return f"{which} of the space has been tried"


def enough_text(value: float) -> str:
    """What is said of a search that ends by `search.stop`."""
    return f"is as good as `search.stop` asks for, {value:g}; a better value there goes on"


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


@dataclass(frozen=True, slots=True)
class TestScores:
    """What `evaluate()` gave on the sealed test rows."""

    __test__ = False  # not a test class, whatever its name begins with

    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy"
    stderrs: Mapping[str, float]  # of each score that has a formula: "accuracy"
    per_class: Mapping[str, float] | None  # class -> share of its rows that the model names right


@dataclass(frozen=True, slots=True)
class TestLook(TestScores):
    """The last look at the test rows, and whose model it was at."""

    number: int
    seed: int | None  # of the finalist; None: the trial's own
    refit: bool  # whether it was trained on all rows


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens during a sweep."""


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


@dataclass(frozen=True, slots=True)
class GenerationAsked(Event):
    """A batch of trials begins to train."""

    generation: int
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class PhaseBegan(Event):
    """What the command does from now on, until the next phase begins; it bears the name of that part of the time."""

    phase: str  # "import", "data", "build", "sampler", "compile", "train", "test", "export", "record"
    done: int | None = None  # models built, or programs compiled, of those that the generation needs
    total: int | None = None  # how many it needs; None where they are not counted


@dataclass(frozen=True, slots=True)
class TrialResumed(Event):
    """A trial goes on where it was stopped."""

    number: int
    curve: Curve  # what was trained before


@dataclass(frozen=True, slots=True)
class EpochEnded(Event):
    """One trial ended one epoch."""

    number: int
    epoch: int  # counted from 1
    logs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrialEnded(Event):
    """A trial ended and is kept: in the record, or beside it until those with lower numbers have ended."""

    result: Result


@dataclass(frozen=True, slots=True)
class Noticed(Event):
    """Something the user should know: a fall back to another runner, an exhausted space."""

    message: str
    leak: bool = False  # whether it is of rows that make scores too good, which the summary says again
    warns: bool = False  # whether it is of what is likely a slip in the space file


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


Listener: TypeAlias = Callable[[Event], Any]
