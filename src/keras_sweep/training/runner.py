"""The runner protocol: a runner turns suggestions into results; it neither chooses trials nor keeps a record."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from keras_sweep.training.lanes.packing import Device
from keras_sweep.trial.events import Listener
from keras_sweep.trial.result import Result, Suggestion


class Judge(Protocol):
    """Who stops trials before their end: every engine is one."""

    @property
    def name(self) -> str:
        """What the trials are recorded as asked by: "optuna/tpe"."""

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs after which `rung` must be called for a trial of so many epochs."""

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """The trials to stop after `epoch`, given the objective of each trial still training there."""


@dataclass(frozen=True, slots=True)
class StopsAt:
    """A judge that stops trials at epochs that were settled before; by default none."""

    ends: Mapping[int, int] = field(default_factory=dict)  # trial -> epoch
    name: str = "as recorded"

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(sorted({end for end in self.ends.values() if end < epochs}))

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset(number for number in values if self.ends.get(number) == epoch)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on while trials train."""

    judge: Judge = StopsAt()  # is asked at rungs which trials to stop
    emit: Listener = lambda _: None  # hears each `PhaseBegan`, and of wanted trials `EpochEnded` and `TrialResumed`
    stopping: Callable[[], bool] = lambda: False  # after every epoch: whether the user has asked to stop


class Runner(Protocol):
    """Trains the trials of a generation. A runner that derives from this class needs `name` and `run`.

    By default it trains a trial after the other, each from its start, on whatever device there is.
    """

    name: str  # "fit/tensorflow"
    generation: int = 1  # how many trials it likes to be given at once
    ahead: int = 1  # how many generations, if no trial of theirs depends on the results of another
    device: Device | None = None  # what trains, if last digits depend on it

    @property
    def at_once(self) -> int:
        """How many cores, or workers, can train the last generation beside each other."""
        return self.generation

    @property
    def compiled(self) -> int:
        """How many programs were compiled so far."""
        return 0

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        """What a generation of these is to compile: of each kind of program how many, and for how many trials.

        By default every trial compiles its own.
        """
        del trials, emit
        return [(1, 1)] * len(wanted)

    @property
    def spent(self) -> Mapping[str, float]:
        """Where the wall time of all `run` went so far: seconds by part."""
        return {}

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        """Yield the result of every trial of a wanted number, in any order, each as soon as it is there.

        A trial that fails yields a FAIL. `trials` are always the whole generation, so that a runner can shape its
        programs by it alone; it need not train what is not wanted. All calls come from the thread that iterates. Where
        the user has asked to stop, the iteration ends early; once closed, nothing trains on.
        """

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget where all trials but these ended: no later one continues from there."""
        del numbers

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        """The trials that these continue and whose end is needed, but not kept."""
        del trials
        return frozenset()

    def without_checkpoints(self) -> Self:
        """A runner that gives the same numbers and reads and writes no file: for trials that are trained once more."""
        return self
