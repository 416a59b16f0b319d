"""The loop: an engine asks for a generation, a runner trains it, the record keeps it. Only this file sees all three."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

from keras_sweep.errors import SweepError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.search.engine import Engine
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import (
    EpochEnded,
    GenerationAsked,
    Listener,
    Noticed,
    PhaseBegan,
    TrialEnded,
    TrialResumed,
)
from keras_sweep.trial.result import DIVERGED, Result, Suggestion, TrialState

FIRST_FAILURES = 3  # in a row at the start, then the sweep stops: the model or the data are wrong, not the parameters
RETRIES = 2  # of a generation in which the machine failed a trial, not the trial's own parameters
EXHAUSTED = "the space is exhausted"  # why a search ended


class Record(Protocol):
    """Where finished trials are kept."""

    def results(self) -> list[Result]:
        """All trials in the order of their numbers."""
        ...

    def add(self, result: Result) -> Result:
        """Keep one trial, and its weights if they are among the best, in one commit; return it without them."""
        ...

    def wait(self, result: Result) -> Result:
        """Keep a trial that ended before its turn in the record has come; return it without its weights."""
        ...

    def waiting(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Those of the trials that wait for their turn, by number."""
        ...

    def discard(self, number: int) -> None:
        """Forget a trial that waits: another one bears its number now."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search is done."""

    trials: int  # in total
    failures: int | None = None  # stop after so many failed trials


def search(
    make_engine: Callable[[], Engine],
    runner: Runner,
    record: Record,
    limits: Limits,
    *,
    emit: Listener,
    stop: StopRequest,
    wall: WallTime,
) -> str:
    """Search until the limits are met; returns why it ended.

    The record's last generation may be incomplete: it is asked again, which gives the same suggestions; those that
    ended before their turn wait beside the record, and the runner trains what is missing. So a search that is stopped
    anywhere goes on as if it had not been; and what a passing fault of the machine cut short is done over in the same
    way, twice for a generation.

    Raises:
        SweepError: the first trials all failed, or more than `limits.failures` did.
    """
    finished = record.results()
    failures = sum(result.state is TrialState.FAIL for result in finished)
    tries = 0  # of the generation
    tell = _Teller(emit)
    with wall.phase("sampler"):
        engine, index, opened = _rebuilt(make_engine, finished, runner.generation)
    while len(finished) < limits.trials:
        if stop:
            return _stopped(stop)
        if opened is None:
            with wall.phase("sampler"):
                asked = [replace(one, generation=index) for one in engine.ask(runner.generation)]
            done: list[Result] = []
        else:
            asked, done, opened = opened.asked, opened.done, None
        if not asked:
            emit(Noticed(f"every one of the {len(finished)} different trials of the space has been tried"))
            return EXHAUSTED
        emit(GenerationAsked(index, tuple(asked)))
        wanted = frozenset(one.number for one in asked if one.number < limits.trials)
        wanted -= {result.number for result in done}
        with wall.part("record"):
            waiting = _waiting(record, [one for one in asked if one.number in wanted], engine.name, runner.name)
        taken_up = bool(done or waiting)
        tell.ended(waiting.values())
        try:
            training = _Training(engine, runner, record, tell, stop, wall, retry=tries < RETRIES)
            for result in training.results(asked, wanted, waiting):
                finished.append(result)
                done.append(result)
                tell.ended([result])
                failures += result.state is TrialState.FAIL
                _check_failures(finished, failures, limits)
        except _TransientFailure as fault:
            emit(Noticed(f"trial {fault.number} is trained again, since the machine failed it: {fault.reason}"))
            tries += 1
            with wall.part("sampler"):
                engine, index, opened = _rebuilt(make_engine, finished, runner.generation)
            continue
        if len(done) < len(asked):
            if len(finished) < limits.trials and not stop:
                raise SweepError(f"the runner {runner.name} left out trial {len(finished)}", hint="Please report it")
            return "done" if len(finished) >= limits.trials else _stopped(stop)
        with wall.part("sampler"):
            if taken_up:  # the runner ends with what was missing, perhaps before the last rungs of the others
                engine, index, opened = _rebuilt(make_engine, finished, runner.generation)
            else:
                engine.tell(done)
                index += 1
        tries = 0
    return "done"


@dataclass(frozen=True)
class _Open:
    """A generation of which only some results are in the record."""

    asked: list[Suggestion]
    done: list[Result]


class _TransientFailure(Exception):
    """A trial failed by a fault that may be gone when it is tried again. Nothing that came after is in the record."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.number = result.number
        self.reason = result.reason


def _rebuilt(
    make_engine: Callable[[], Engine], finished: Sequence[Result], size: int
) -> tuple[Engine, int, _Open | None]:
    """An engine that knows all closed generations, the next generation's index, and that generation if it is begun."""
    generations = [list(group) for _, group in groupby(finished, key=lambda result: result.suggestion.generation)]
    engine = make_engine()
    if not generations:
        return engine, 0, None
    *earlier, last = generations
    index = last[0].suggestion.generation
    if len(last) < size:
        engine.replay(earlier)
        asked = [replace(one, generation=index) for one in engine.ask(size)]
        if len(asked) > len(last) and all(
            (one.number, one.params) == (result.number, result.params) for one, result in zip(asked, last, strict=False)
        ):
            return engine, index, _Open(asked, last)
        engine = make_engine()  # it is whole; or another engine or size began it, then it is a generation of its own
    engine.replay(generations)
    return engine, index + 1, None


class _Teller:
    """Tells once of each trial that it has ended."""

    def __init__(self, emit: Listener) -> None:
        self.emit = emit
        self._told: set[int] = set()

    def ended(self, results: Iterable[Result]) -> None:
        """These are kept."""
        for result in results:
            if result.number not in self._told:
                self._told.add(result.number)
                self.emit(TrialEnded(replace(result, weights=None)))


def _waiting(record: Record, asked: Sequence[Suggestion], engine: str, runner: str) -> dict[int, Result]:
    """What an earlier run, or try, trained of this and could not record yet. What was asked otherwise is discarded."""
    found = record.waiting(one.number for one in asked)
    for one in asked:
        result = found.get(one.number)
        if result is None:
            continue
        was = result.suggestion
        same = (was.params, was.generation, was.continues) == (one.params, one.generation, one.continues)
        if not same or (result.engine, result.runner) != (engine, runner):
            record.discard(one.number)
            del found[one.number]
    return found


@dataclass(frozen=True)
class _Training:
    """Trains a generation. With patience it raises _Passing at the first passing fault.

    What the others of the generation do from there on, they do without that trial, which moves the decisions of a rung.
    """

    engine: Engine
    runner: Runner
    record: Record
    tell: _Teller
    stop: StopRequest
    wall: WallTime
    retry: bool

    def results(
        self, asked: Sequence[Suggestion], wanted: frozenset[int], waiting: dict[int, Result]
    ) -> Iterator[Result]:
        """The wanted trials in the order of their numbers, each yielded once it is in the record, without its weights.

        Those in `waiting` have ended before and are not trained. One that ends before its turn joins them, and is kept
        as safely there.
        """
        order = iter(sorted(wanted))
        following = next(order, None)
        watch = _Watch(self.engine, self.tell.emit, self.stop)
        with _closed(self.runner.run(asked, wanted - set(waiting), watch)) as trained:
            while following is not None:
                if following in waiting:
                    with self.wall.part("record"):
                        recorded = self.record.add(waiting.pop(following))
                    yield recorded
                    following = next(order, None)
                    continue
                with self.wall.part("train"):
                    result = next(trained, None)
                if result is None:
                    return
                if result.is_transient and self.retry:
                    raise _TransientFailure(result)
                engine, runner = result.engine or self.engine.name, result.runner or self.runner.name
                result = replace(result, engine=engine, runner=runner)
                if result.number != following:
                    with self.wall.part("record"):
                        self.tell.ended([self.record.wait(result)])
                waiting[result.number] = result


@contextmanager
def _closed(results: Iterator[Result]) -> Iterator[Iterator[Result]]:
    """At the end nothing is left that trains on."""
    try:
        yield results
    finally:
        if isinstance(results, Generator):
            results.close()


class _Watch:
    """Passes what a runner reports to the engine and the views."""

    def __init__(self, engine: Engine, emit: Listener, stop: StopRequest) -> None:
        self._engine = engine
        self._emit = emit
        self._stop = stop
        self._told = False

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


def _stopped(stop: StopRequest) -> str:
    return "interrupted" if stop.signalled else "time is up"


def _check_failures(finished: Sequence[Result], failures: int, limits: Limits) -> None:
    first = finished[:FIRST_FAILURES]
    if len(finished) == FIRST_FAILURES and all(
        one.state is TrialState.FAIL and one.reason != DIVERGED for one in first
    ):
        raise SweepError(
            f"the first {FIRST_FAILURES} trials all failed; trial {first[0].number}: {first[0].reason}",
            hint=f"Mend it and run with --fresh; `sweep show NAME {first[0].number}` has the traceback",
        )
    if limits.failures is not None and failures > limits.failures:
        last = next(result for result in reversed(finished) if result.state is TrialState.FAIL)
        raise SweepError(
            f"{failures} trials failed, more than --max-failures {limits.failures}; the last: {last.reason}",
            hint="The same command with a larger --max-failures goes on",
        )
