"""What happens while a trial trains: runners emit it, views show it. Events of the whole sweep: `sweep/events.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from keras_sweep.trial.result import Curve


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens during a sweep."""


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
class Noticed(Event):
    """Something the user should know: a fall back to another runner, an exhausted space."""

    message: str
    leak: bool = False  # whether it is of rows that make scores too good, which the summary says again
    warns: bool = False  # whether it is of what is likely a slip in the space file


Listener: TypeAlias = Callable[[Event], Any]
