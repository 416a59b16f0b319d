"""The runner protocol: a runner turns suggestions into results. It neither chooses trials nor keeps a record."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from keras_sweep.training.lanes.packing import Device
from keras_sweep.trial.events import Listener
from keras_sweep.trial.result import Result, Suggestion


class Pruner(Protocol):
    """Stops trials early. Every engine is a pruner."""

    @property
    def name(self) -> str:
        """The engine's name in the record: "optuna/tpe"."""

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which `rung` must be called for a trial of `epochs` epochs."""

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Return the trials to stop after `epoch`. `values` has the objective of each trial that still trains there."""


@dataclass(frozen=True, slots=True)
class StopsAt:
    """A pruner that stops trials at fixed epochs; by default it stops none."""

    ends: Mapping[int, int] = field(default_factory=dict)  # trial number -> epoch
    name: str = "as recorded"

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(sorted({end for end in self.ends.values() if end < epochs}))

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset(number for number in values if self.ends.get(number) == epoch)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who observes and controls a training."""

    pruner: Pruner = StopsAt()  # decides at rungs which trials to stop
    emit: Listener = lambda _: None  # receives each `PhaseBegan`, and `EpochEnded` and `TrialResumed` of wanted trials
    stopping: Callable[[], bool] = lambda: False  # called after every epoch: has the user asked to stop?


class Runner(Protocol):
    """Trains the trials of a generation. A subclass needs `name` and `run`.

    By default, a runner trains trial after trial, from the start, on any device.
    """

    name: str  # "fit/tensorflow"
    generation: int = 1  # preferred number of trials per generation
    ahead: int = 1  # preferred number of generations in advance, if no trial depends on another's result
    device: Device | None = None  # the training device, if last digits depend on it

    @property
    def at_once(self) -> int:
        """The number of cores or workers that can train the last generation in parallel."""
        return self.generation

    @property
    def compiled(self) -> int:
        """The number of programs compiled until now."""
        return 0

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        """Return (programs, trials) for each kind of program that these trials compile; by default a program each."""
        del trials, emit
        return [(1, 1)] * len(wanted)

    @property
    def spent(self) -> Mapping[str, float]:
        """The wall time of all `run` calls until now: seconds by part."""
        return {}

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        """Yield the result of every trial whose number is wanted, in any order, as soon as it is known.

        A trial that fails yields a FAIL. `trials` is always the whole generation, so that it alone can decide the
        shapes of programs. Other trials need not be trained. All calls come from the thread that iterates. If
        the user asks to stop, the iteration ends early. Once the generator is closed, nothing trains.
        """

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget the end states of all other trials, because no later trial continues them."""
        del numbers

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        """Return the trials that these trials continue and whose end states are needed, but not kept."""
        del trials
        return frozenset()

    def without_checkpoints(self) -> Self:
        """Return a runner with the same numbers that uses no files, to train recorded trials again."""
        return self
