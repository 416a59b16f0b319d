"""The protocol of runners, which train suggested trials. A runner neither chooses trials nor writes the record."""

import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeAlias

from keras_sweep.training.lanes.packing import Device
from keras_sweep.trial.events import Listener
from keras_sweep.trial.result import Result, Suggestion, TrialState

Joining: TypeAlias = tuple[Sequence[Suggestion], frozenset[int]]  # a generation, and the numbers of the trials to train


class Pruner(Protocol):
    """Decides at rungs which trials stop early. Every engine is a pruner."""

    @property
    def name(self) -> str:
        """The name of the engine in the record: "optuna/tpe"."""

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs (from 1) after which the runner calls `rung`, for a trial of `epochs` epochs."""

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Return the numbers of the trials to stop after `epoch`. `values`: trial number -> the objective's value."""


@dataclass(frozen=True, slots=True)
class StopsAt:
    """A pruner that stops trials at fixed epochs. By default, it stops no trial."""

    ends: Mapping[int, int] = field(default_factory=dict)  # trial number -> epoch
    name: str = "as recorded"

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(sorted({end for end in self.ends.values() if end < epochs}))

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset(number for number in values if self.ends.get(number) == epoch)


@dataclass(frozen=True, slots=True)
class Watch:
    """What a runner calls while trials train: the pruner, an event listener, and a check whether to stop."""

    pruner: Pruner = StopsAt()  # decides at rungs which trials to stop
    emit: Listener = lambda _: None  # receives `PhaseBegan`; `EpochEnded` and `TrialResumed` of wanted trials only
    stopping: Callable[[], bool] = lambda: False  # called after every epoch: has the user asked to stop?
    # The generation that joins, if any. The argument has a pair (generation, epochs that are passed) per open trial.
    join: Callable[[Sequence[tuple[int, int]]], Joining | None] = lambda _: None
    # Of recorded trials of the generation. With `training.seconds`, they end here again, however fast the machine is.
    ends: dict[int, int] = field(default_factory=dict)  # trial number -> epochs, as `find_ends` returns them


def find_ends(results: Iterable[Result]) -> dict[int, int]:
    """Return trial number -> trained epochs. A pruned trial has a number too large for any trial: a rung ends it."""
    return {result.number: sys.maxsize if result.state is TrialState.PRUNED else result.epochs for result in results}


class Runner(Protocol):
    """Trains the trials of a generation. A subclass must define `name` and `run`; the other members have defaults."""

    name: str  # "fit/tensorflow"
    generation: int = 1  # preferred number of trials per generation
    ahead: int = 1  # preferred number of generations in advance, if the sampler does not learn from results
    joins: bool = False  # whether `run` calls `watch.join`, as `search.pace` needs
    device: Device | None = None  # the training device, if last digits depend on it

    @property
    def at_once(self) -> int:
        """The number of cores or workers that can train the latest generation in parallel."""
        return self.generation

    @property
    def compiled(self) -> int:
        """The number of programs compiled until now."""
        return 0

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        """Return (number of programs to compile, number of trials) for each set of trials that share programs.

        `trials` is the whole generation, and `wanted` are the numbers to train. `emit` receives the progress.
        """
        del trials, emit
        return [(1, 1)] * len(wanted)

    @property
    def spent(self) -> Mapping[str, float]:
        """Part of the work ("compile", "train") -> seconds that all `run` calls until now spent on the part."""
        return {}

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        """Yield the result of each trial whose number is in `wanted`, in any order, as soon as the result is known.

        `trials` is always the whole generation, so that programs have the same shapes. Unwanted trials need not be
        trained. A trial that fails yields a FAIL. Only the iterating thread calls functions of `watch`. If the user
        asks to stop, the iteration ends early. Once the generator is closed, nothing trains.
        """

    def keep_only(self, numbers: Collection[int]) -> None:
        """Delete the final states of all trials except `numbers`, because no later trial continues the other trials."""
        del numbers

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        """Return the numbers of earlier trials that `trials` should continue, but whose final states are lost."""
        del trials
        return frozenset()

    def without_checkpoints(self) -> Self:
        """Return a runner with the same results that writes no files, to train recorded trials again."""
        return self
