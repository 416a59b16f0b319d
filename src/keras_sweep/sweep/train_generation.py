"""Trains one generation, and records its trials in the order of their numbers, in whichever order they end."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.sweep.generations import Generation, Record
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import EpochEnded, Listener, Noticed, PhaseBegan, TrialEnded, TrialResumed
from keras_sweep.trial.result import Result


class TransientFailure(Exception):
    """A trial failed by a fault that may be gone when it is tried again. Nothing that came after is in the record."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.number = result.number
        self.reason = result.reason


class GenerationTraining:
    """Trains generations with one runner, into one record."""

    def __init__(self, runner: Runner, record: Record, *, emit: Listener, stop: StopRequest, wall: WallTime) -> None:
        """`emit` hears of each epoch and, once, of each trial that ends; `wall` counts the parts `train`, `record`."""
        self._runner = runner
        self._record = record
        self._emit = emit
        self._stop = stop
        self._wall = wall
        self._told: set[int] = set()  # trials of which it was said that they ended

    def results(self, generation: Generation, engine: Judge, total: int, *, retry: bool) -> Iterator[Result]:
        """Trials in the order of their numbers, each yielded once it is in the record, without its weights.

        Those in the spool have ended before and are not trained. One that ends before its turn joins them, and is kept
        as safely there. The iteration ends early where the user asks to stop.

        Args:
            generation: what to train; it takes up what the spool has of it.
            engine: decides at rungs.
            total: of the sweep; trials from this number on are not trained.
            retry: raise at the first transient failure.

        Raises:
            TransientFailure: the machine failed a trial. Were that recorded, its mates would be compared without it.
        """
        with self._wall.part("record"):
            generation.take_up(self._record, total, engine.name, self._runner.name)
        wanted, waiting = generation.wanted(total), generation.waiting
        self._tell(waiting.values())
        watch = SearchWatch(engine, self._emit, self._stop)
        with _closed(self._runner.run(generation.asked, wanted - set(waiting), watch)) as trained:
            for number in sorted(wanted):
                while number not in waiting:
                    with self._wall.part("train"):
                        result = next(trained, None)
                    if result is None:
                        return
                    if result.is_transient and retry:
                        raise TransientFailure(result)
                    waiting[result.number] = self._signed(result, engine)
                    if result.number != number:
                        self._spool(waiting[result.number])
                with self._wall.part("record"):
                    recorded = self._record.add(waiting.pop(number))
                self._tell([recorded])
                yield recorded
            next(trained, None)  # its end: the last trial is in the record, so its checkpoint can go

    def _signed(self, result: Result, engine: Judge) -> Result:
        return replace(result, engine=result.engine or engine.name, runner=result.runner or self._runner.name)

    def _spool(self, result: Result) -> None:
        with self._wall.part("record"):
            self._tell([self._record.wait(result)])

    def _tell(self, results: Iterable[Result]) -> None:
        """Of those that are kept from now on, in the record or in the spool."""
        for result in results:
            if result.number not in self._told:
                self._told.add(result.number)
                self._emit(TrialEnded(replace(result, weights=None, scores=None)))


@contextmanager
def _closed(results: Iterator[Result]) -> Iterator[Iterator[Result]]:
    """At the end nothing is left that trains on."""
    try:
        yield results
    finally:
        if isinstance(results, Generator):
            results.close()


class Judge(Protocol):
    """Who stops trials before their end: every engine is one."""

    name: str

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """As of `search.engine.Engine`."""
        ...

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """As of `search.engine.Engine`."""
        ...


class SearchWatch:
    """Rungs are the engine's to decide; all else becomes an event. See `training.runner.Watch`."""

    def __init__(self, engine: Judge, emit: Listener, stop: StopRequest) -> None:
        self._engine = engine
        self._emit = emit
        self._stop = stop
        self._told = False  # that the sweep is stopping

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        self._emit(EpochEnded(number, epoch, logs))

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return self._engine.rungs(epochs)

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return self._engine.rung(epoch, values)

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        self._emit(PhaseBegan(name, done, total, per_trial))

    def resumed(self, number: int, rows: Sequence[Mapping[str, float]]) -> None:
        self._emit(TrialResumed(number, {name: tuple(row[name] for row in rows) for name in rows[0]}))

    def stopping(self) -> bool:
        if self._stop.signalled and not self._told:
            self._told = True
            self._emit(Noticed("stopping after these epochs; the same signal again stops at once"))
        return bool(self._stop)
