"""Events while a trial trains: runners emit them, views show them. `sweep/events.py` has events of the sweep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from keras_sweep.trial.result import Curve


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens during a sweep."""


@dataclass(frozen=True, slots=True)
class PhaseBegan(Event):
    """The command began a phase, or made progress in it. The phase lasts until a `PhaseBegan` of another phase."""

    phase: str  # "import", "data", "build", "sampler", "compile", "train", "test", "export", "record"
    done: int | None = None  # how many of the generation's models are built, or programs compiled
    total: int | None = None  # how many the generation needs; None if they are not counted


@dataclass(frozen=True, slots=True)
class TrialResumed(Event):
    number: int
    curve: Curve  # of the epochs before


@dataclass(frozen=True, slots=True)
class EpochEnded(Event):
    number: int
    epoch: int  # counted from 1
    logs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Noticed(Event):
    """A notice for the user, for example that another runner trains, or that the space has no configuration left."""

    message: str
    leak: bool = False  # whether rows make scores too good; the summary repeats this notice
    warns: bool = False  # whether the space file probably contains a mistake


Listener: TypeAlias = Callable[[Event], Any]
