"""The runner protocol: a runner turns suggestions into results; it neither chooses trials nor keeps a record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol, Self

from keras_sweep.trial.result import Result, Suggestion


class Watch(Protocol):
    """What a runner calls while it trains. Calls come from the thread that iterates over `Runner.run`."""

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        """Trial `number` ended `epoch` (counted from 1) with these metrics."""
        ...

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs after which `rung` must be called for a trial of so many epochs."""
        ...

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """The trials to stop after `epoch`, given the objective of each trial still training there."""
        ...

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        """What the runner does from now on: "build", "compile" or "train".

        Args:
            name: the part of the time that this is.
            done: models built, or programs compiled, of those that the generation needs.
            total: how many it needs.
            per_trial: programs that a trial of a later generation is likely to need.
        """
        ...

    def resumed(self, number: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Trial `number` goes on after these epochs, which were trained before it was stopped."""
        ...

    def stopping(self) -> bool:
        """Whether the user has asked to stop. A runner looks after every epoch and then ends its iteration early."""
        ...


class NoWatch:
    """A watch that hears of nothing, prunes nothing and never stops; who watches a little begins with it."""

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        """Nothing is kept."""

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """None."""
        del epochs
        return ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Nobody."""
        del epoch, values
        return frozenset()

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        """Nothing is shown."""

    def resumed(self, number: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Nothing is kept."""

    def stopping(self) -> bool:
        """Never."""
        return False


class Runner(Protocol):
    """Trains the trials of a generation."""

    name: str  # "fit/tensorflow"
    generation: int  # how many trials it likes to be given at once

    @property
    def compiled(self) -> int:
        """How many programs were compiled so far."""
        ...

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> tuple[int, float]:
        """How many programs a generation of these needs, and how many each later trial is likely to; trains nothing."""
        ...

    @property
    def spent(self) -> Mapping[str, float]:
        """Where the wall time of all `run` went so far: seconds by part, what runs at once sharing each moment."""
        ...

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Iterator[Result]:
        """Yield the result of every wanted trial, in any order, each as soon as it is there.

        `trials` is the whole generation, always given complete, so that a runner can shape its programs by it alone; it
        need not train what is not wanted. A trial that fails yields a FAIL. Ends early once `watch.stopping()`.
        """
        ...

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget where all trials but these ended: no later one continues from there."""
        ...

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        """The trials that these continue and whose end is not kept, so that they would be trained from their start."""
        ...

    def without_checkpoints(self) -> Self:
        """A runner that gives the same numbers and reads and writes no file: for trials that are trained once more."""
        ...
