"""What a runner reports while it trains, passed on to the engine and the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.trial.events import EpochEnded, Listener, Noticed, PhaseBegan, TrialResumed


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
