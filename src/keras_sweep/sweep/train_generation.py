"""Trains one generation, and records its trials in the order of their numbers, in whichever order they end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.sweep.generations import Generation
from keras_sweep.training.runner import Judge, Runner
from keras_sweep.trial.events import Listener, Noticed, TrialEnded
from keras_sweep.trial.result import Result
from keras_sweep.trial.wall_time import WallTime


class TransientFailure(Exception):
    """A trial failed by a fault that may be gone when it is tried again. Nothing that came after is in the record."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.number = result.number
        self.reason = result.reason


class GenerationTraining:
    """Trains generations with one runner, into one record."""

    def __init__(
        self, runner: Runner, record: TrialRecord, *, emit: Listener, stop: StopRequest, wall: WallTime
    ) -> None:
        """`emit` hears of each epoch and, once, of each trial that ends; `wall` counts the parts `train`, `record`."""
        self._runner = runner
        self._record = record
        self._emit = emit
        self._stop = stop
        self._wall = wall
        self._told: set[int] = set()  # trials of which it was said that they ended
        self._said_stopping = False

    def results(self, generation: Generation, judge: Judge, total: int, *, retry: bool) -> Iterator[Result]:
        """Trials in the order of their numbers, each yielded once it is in the record, without its weights.

        Those in the spool have ended before and are not trained. One that ends before its turn joins them, and is kept
        as safely there. The iteration ends early where the user asks to stop.

        Args:
            generation: what to train; it takes up what the spool has of it.
            judge: decides at rungs.
            total: of the sweep; trials from this number on are not trained.
            retry: raise at the first transient failure.

        Raises:
            TransientFailure: the machine failed a trial. Were that recorded, its mates would be compared without it.
        """
        with self._wall.part("record"):
            generation.take_up(self._record, total, judge.name, self._runner.name)
        wanted, waiting = generation.wanted(total), generation.waiting
        self._tell(waiting.values())
        missing = wanted - set(waiting)
        with closing(self._runner.run(generation.asked, missing, judge, self._emit, self._stopping)) as trained:
            for number in sorted(wanted):
                while number not in waiting:
                    with self._wall.part("train"):
                        result = next(trained, None)
                    if result is None:
                        return
                    if result.is_transient and retry:
                        raise TransientFailure(result)
                    signed = replace(result, engine=judge.name, runner=self._runner.name)
                    waiting[result.number] = signed
                    if result.number != number:
                        with self._wall.part("record"):
                            self._tell([self._record.wait(signed)])
                with self._wall.part("record"):
                    recorded = self._record.add(waiting.pop(number))
                self._tell([recorded])
                yield recorded
            next(trained, None)  # its end: the last trial is in the record, so its checkpoint can go

    def _stopping(self) -> bool:
        if self._stop.signalled and not self._said_stopping:
            self._said_stopping = True
            self._emit(Noticed("stopping after these epochs; the same signal again stops at once"))
        return bool(self._stop)

    def _tell(self, results: Iterable[Result]) -> None:
        """Of those that are kept from now on, in the record or in the spool."""
        for result in results:
            if result.number not in self._told:
                self._told.add(result.number)
                self._emit(TrialEnded(replace(result, weights=None, scores=None)))
