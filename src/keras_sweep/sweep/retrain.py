"""Trains one recorded trial once more, for its weights: in its own generation, so that every digit is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keras_sweep.errors import Interrupted, RecordError
from keras_sweep.search.engine import Engine
from keras_sweep.training.runner import NoWatch, Runner
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights


def _nobody(_: object) -> None:
    """Hears of nothing."""


def trained_again(
    make_engine: Callable[[], Engine],
    runner: Runner,
    results: Sequence[Result],
    number: int,
    stopping: Callable[[], bool] = lambda: False,
    emit: Listener = _nobody,
) -> Result:
    """How the trial turns out when it is trained once more, stopped where the record says that it was stopped.

    Trials that it, or another of its generation, continues are trained again before it. What the sweep keeps of those
    that still train is left as it is. The listener hears what goes on.

    Raises:
        Interrupted: `stopping` said so.
    """
    recorded = next(result for result in results if result.number == number)
    again = _Again(make_engine, runner.without_checkpoints(), results, stopping, emit)
    for result in again.run(recorded.suggestion.generation, frozenset({number})):
        return result
    raise Interrupted(f"trial {number} was not trained again to its end", hint="The same command does it")


def retrained_weights(
    make_engine: Callable[[], Engine],
    runner: Runner,
    results: Sequence[Result],
    number: int,
    stopping: Callable[[], bool] = lambda: False,
) -> Weights:
    """The weights that earned the trial's value.

    Raises:
        Interrupted: `stopping` said so.
        RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    recorded = next(result for result in results if result.number == number)
    if recorded.state is TrialState.FAIL:
        raise RecordError(f"trial {number} failed ({recorded.reason}), so there are no weights", hint="Choose another")
    result = trained_again(make_engine, runner, results, number, stopping)
    return weights_again(recorded, result)


def weights_again(recorded: Result, again: Result) -> Weights:
    """The weights of what was trained again. Raises RecordError where other numbers came out."""
    if again.value == recorded.value and again.weights is not None:
        return again.weights
    if again.state is TrialState.FAIL:
        raise RecordError(f"{recorded.name} could not be trained again: {again.reason}", hint="Run the same again")
    raise RecordError(
        f"{recorded.name} trained again gives {again.value}, but {recorded.value} is recorded",
        hint="Use the packages and the backend that the sweep was run with (`sweep show` names them)",
    )


@dataclass(frozen=True, slots=True)
class _Again:
    """Trains generations of a record again."""

    make_engine: Callable[[], Engine]
    runner: Runner
    results: Sequence[Result]
    stopping: Callable[[], bool]
    emit: Listener

    def run(self, generation: int, wanted: frozenset[int]) -> Iterator[Result]:
        """Results of the wanted trials, once the runner has the ends of all that the generation continues."""
        mates = self._of(generation)
        asked = self._asked(generation, [result.suggestion for result in mates])
        missing = self.runner.missing(asked)
        for earlier in sorted({result.suggestion.generation for result in self.results if result.number in missing}):
            for _ in self.run(earlier, missing.intersection(result.number for result in self._of(earlier))):
                pass
        yield from self.runner.run(asked, wanted, AsRecorded(mates, self.stopping, self.emit))

    def _of(self, generation: int) -> list[Result]:
        return [result for result in self.results if result.suggestion.generation == generation]

    def _asked(self, generation: int, known: list[Suggestion]) -> list[Suggestion]:
        """The whole generation: the sweep may have ended inside it."""
        if self.runner.generation <= len(known):
            return known
        engine = self.make_engine()
        before = {result.suggestion.generation: None for result in self.results}
        engine.replay([self._of(earlier) for earlier in before if earlier < generation])
        again = engine.ask(self.runner.generation)
        same = all(a.params == b.params for a, b in zip(again, known, strict=False)) and len(again) >= len(known)
        return again if same else known


class AsRecorded(NoWatch):
    """Stops trials at the epochs at which the record says they were stopped."""

    def __init__(self, mates: Sequence[Result], stopping: Callable[[], bool], emit: Listener) -> None:
        self._stopping = stopping
        self._emit = emit
        self._ends = {result.number: result.epochs for result in mates if result.state is TrialState.PRUNED}

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        del logs
        self._emit(PhaseBegan(f"training trial {number} again, epoch {epoch} is done"))

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        self._emit(PhaseBegan(name, done, total, per_trial))

    def stopping(self) -> bool:
        return self._stopping()

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(sorted({end for end in self._ends.values() if end < epochs}))

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset(number for number in values if self._ends.get(number) == epoch)
