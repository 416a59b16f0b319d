"""Trains one recorded trial once more, for its weights: in its own generation, so that every digit is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keras_sweep.errors import Interrupted, RecordError
from keras_sweep.search.engine import Engine
from keras_sweep.training.runner import Runner
from keras_sweep.trial.result import Result, TrialState, Weights


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
    generation = recorded.suggestion.generation
    mates = [result for result in results if result.suggestion.generation == generation]
    asked = [result.suggestion for result in mates]
    if runner.generation > len(mates):  # the sweep may have ended inside a generation, which was asked whole
        engine = make_engine()
        engine.replay(_earlier(results, generation))
        again = engine.ask(runner.generation)
        if all(a.params == b.params for a, b in zip(again, asked, strict=False)) and len(again) >= len(asked):
            asked = again
    watch = _AsRecorded(mates, stopping)
    for result in runner.run(asked, frozenset({number}), watch):
        if result.value == recorded.value and result.weights is not None:
            return result.weights
        if result.state is TrialState.FAIL:
            raise RecordError(f"trial {number} could not be trained again: {result.reason}", hint="Run the same again")
        raise RecordError(
            f"trial {number} trained again gives {result.value}, but {recorded.value} is recorded",
            hint="Use the packages and the backend that the sweep was run with (`sweep show` names them)",
        )
    raise Interrupted(f"trial {number} was not trained again to its end", hint="The same command does it")


def _earlier(results: Sequence[Result], generation: int) -> list[list[Result]]:
    found: dict[int, list[Result]] = {}
    for result in results:
        if result.suggestion.generation < generation:
            found.setdefault(result.suggestion.generation, []).append(result)
    return list(found.values())


class _AsRecorded:
    """Stops trials at the epochs at which the record says they were stopped."""

    def __init__(self, mates: Sequence[Result], stopping: Callable[[], bool]) -> None:
        self.stopping = stopping
        self._ends = {result.number: result.epochs for result in mates if result.state is TrialState.PRUNED}

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        pass

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        pass

    def resumed(self, number: int, rows: Sequence[Mapping[str, float]]) -> None:
        pass

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(sorted({end for end in self._ends.values() if end < epochs}))

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset(number for number in values if self._ends.get(number) == epoch)
