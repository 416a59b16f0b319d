"""The loop: an engine asks for a generation, a runner trains it, the record keeps it. Only this file sees all three.

The next generation is the record's last one, asked again where it is incomplete, or one that is asked anew.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby

from keras_sweep.errors import SweepError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import complete_point, make_engine
from keras_sweep.space.search_space import Params, identity
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import pluralize
from keras_sweep.space.variants import Variant, variant_of
from keras_sweep.sweep.events import EndReason, GenerationAsked, TrialEnded
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.training.runner import Judge, StopsAt, Watch
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import ADDED, good_enough, is_imported, winner
from keras_sweep.trial.result import DIVERGED, Result, Suggestion, TrialState

FIRST_FAILURES = 3  # in a row at the start, then the sweep stops: the model or the data are wrong, not the parameters
RETRIES = 2  # of a generation in which the machine failed a trial, not the trial's own parameters


@dataclass
class Generation:
    """Suggestions that were asked at once, and what has become of them so far."""

    index: int  # counted from 0 within the sweep
    asked: list[Suggestion]
    done: list[Result] = field(default_factory=list)  # in the record, in the order of their numbers
    waiting: dict[int, Result] = field(default_factory=dict)  # ended, in the spool until their turn comes, by number
    resumed: bool = False  # whether some had ended before it was asked this time

    @property
    def is_recorded(self) -> bool:
        """Whether all of it is in the record."""
        return len(self.done) == len(self.asked)

    def wanted(self, total: int) -> frozenset[int]:
        """The trials of a sweep of so many that are not in the record yet."""
        recorded = {result.number for result in self.done}
        return frozenset(one.number for one in self.asked if one.number < total) - recorded

    def take_up(self, record: TrialRecord, total: int, engine: str, runner: str) -> None:
        """Find in the spool what an earlier run, or try, trained of it. What was asked otherwise is discarded."""
        wanted = self.wanted(total)
        asked = {one.number: one for one in self.asked if one.number in wanted}
        for number, result in record.waiting(asked).items():
            was, one = result.suggestion, asked[number]
            same = (was.params, was.generation, was.continues) == (one.params, one.generation, one.continues)
            if same and (result.engine, result.runner) == (engine, runner):
                self.waiting[number] = result
            else:
                record.discard(number)
        self.resumed = bool(self.done or self.waiting)


class Generations:
    """An engine that has been told of all complete generations, and gives the next one."""

    engine: Engine  # another one after `reopen`, and perhaps after `close`
    _index: int  # of the generation that is asked next
    opened: Generation | None  # the next one, where the record holds it in part, so that the engine was asked for it

    def __init__(
        self, make_engine: Callable[[], Engine], size: int, finished: Sequence[Result], wall: WallTime, ahead: int = 1
    ) -> None:
        """Rebuild the engine, made anew, from the trials of the record; `size` is that of a generation.

        Of an engine that does not learn `ahead` generations are taken as one. Its time counts as `sampler`.
        """
        self._make_engine, self._size, self._ahead, self._wall = make_engine, size, ahead, wall
        with wall.phase("sampler"):
            self._rebuild(finished)

    def next(self) -> Generation:
        """The generation that is incomplete, or else a new one, which is empty where the space is exhausted."""
        if self.opened is not None:
            generation, self.opened = self.opened, None
            return generation
        with self._wall.phase("sampler"):
            return Generation(self._index, self._ask())

    def close(self, generation: Generation, finished: Sequence[Result]) -> None:
        """The generation is in the record, so that the engine learns of it."""
        if generation.resumed:  # the runner ended with what was missing, perhaps before the last rungs of the others
            self.reopen(finished)
            return
        with self._wall.part("sampler"):
            self.engine.tell(generation.done)
            self._index = generation.asked[-1].generation + 1

    def reopen(self, finished: Sequence[Result]) -> None:
        """Rebuild the engine from the recorded trials."""
        with self._wall.part("sampler"):
            self._rebuild(finished)

    def _rebuild(self, finished: Sequence[Result]) -> None:
        recorded = [list(group) for _, group in groupby(finished, key=lambda result: result.suggestion.generation)]
        self.engine, self._index, self.opened = self._make_engine(), 0, None
        if not recorded:
            return
        *earlier, last = recorded
        self._index = last[0].suggestion.generation
        if len(last) < self.engine.generation_size(self._index, self._size):
            self.engine.replay(earlier)
            again = self._ask()
            begins = all(
                (one.number, one.params) == (result.number, result.suggestion.params)
                for one, result in zip(again, last, strict=False)
            )
            if begins and len(again) > len(last):
                self.opened = Generation(self._index, again, last)
                return
            # The generation is complete, or was asked with another engine or size and can't be continued: begin the
            # next with an engine that has not been asked yet.
            self.engine = self._make_engine()
        self.engine.replay(recorded)
        self._index += 1

    def _ask(self) -> list[Suggestion]:
        size = self.engine.generation_size(self._index, self._size)
        started = time.perf_counter()
        asked = self.engine.ask_ahead(size, self._ahead)
        seconds = (time.perf_counter() - started) / max(len(asked), 1)
        return [
            replace(one, generation=self._index + place // size, sampler_seconds=seconds)
            for place, one in enumerate(asked)
        ]


def search(sweep: OpenSweep, record: TrialRecord, total: int, *, most_failures: int | None = None) -> EndReason:
    """Search until so many trials in total are recorded; returns why it ended.

    A search that is stopped anywhere goes on as if it had not been: the same suggestions are asked for again, and the
    runner trains what is missing. After a transient failure (memory, disk, network) the rest of the generation is
    trained again, at most RETRIES times.

    Raises SweepError: the first trials all failed, or more than `most_failures` did.
    """
    finished, runner, emit, stop = record.results(), sweep.runner, sweep.emit, sweep.stop
    objective, wanted = sweep.spec.objective, sweep.spec.search.stop
    ahead = runner.ahead if wanted is None else 1  # if a value ends the search, each generation may be the last
    generations = Generations(lambda: make_engine(sweep.spec), runner.generation, finished, sweep.wall, ahead)
    training = GenerationTraining(sweep, record)
    while len(finished) < total:
        if stop:
            return find_end_reason(stop)
        if wanted and generations.opened is None and (good := good_enough(finished, objective, wanted.value)):
            reached = f"{good.name} has {objective.name} {good.value:.4f}"
            emit(Noticed(f"{reached}, which {enough_text(wanted.value)}"))
            return EndReason.GOOD_ENOUGH
        generation = generations.next()
        if not generation.asked:
            emit(Noticed(describe_exhausted_space(len(finished))))
            return EndReason.EXHAUSTED
        emit(GenerationAsked(generation.index, tuple(generation.asked)))
        try:
            for result in training.results(generation, generations.engine, total):
                finished.append(result)
                generation.done.append(result)
                _check_failures(finished, most_failures, sweep.spec.name)
        except TransientFailure:
            generations.reopen(finished)
            continue
        if generation.is_recorded:
            generations.close(generation, finished)
            if generations.opened is None:  # else some of its trials may continue others
                runner.keep_only(generations.engine.continuable())
        elif len(finished) < total and not stop:
            raise SweepError(f"the runner {runner.name} left out trial {len(finished)}", hint="Please report it")
    return EndReason.DONE


def point_to_add(spec: SweepSpec, finished: Sequence[Result], given: Params) -> tuple[Params, Result | None]:
    """The whole point, and the trial that has it already, if one does. Raises UsageError: it is none of the space."""
    best = winner(finished, spec.objective)
    point = complete_point(spec, given, best.params if best is not None else {})
    return point, next((one for one in finished if identity(one.params) == identity(point)), None)


def train_point(sweep: OpenSweep, record: TrialRecord, given: Params) -> EndReason:
    """Train one trial of a point, unless one is there; what the point leaves out is as in the best trial.

    It is a generation of its own. Raises UsageError: it is no point of the space.
    """
    finished = record.results()
    point, known = point_to_add(sweep.spec, finished, given)
    if known is not None:
        sweep.emit(Noticed(f"{known.name} has this point already"))
        return EndReason.DONE
    index = finished[-1].suggestion.generation + 1 if finished else 0
    asked = Suggestion(len(finished), point, index)
    sweep.emit(GenerationAsked(index, (asked,)))
    trained = GenerationTraining(sweep, record).to_the_end(Generation(index, [asked]), ADDED)
    return EndReason.DONE if trained else find_end_reason(sweep.stop)


def find_end_reason(stop: StopRequest) -> EndReason:
    """Why a search ended that was asked to."""
    return EndReason.INTERRUPTED if stop.signalled else EndReason.OUT_OF_TIME


def describe_exhausted_space(trials: int) -> str:
    """What is said of a space of which so many trials are all that there are."""
    which = f"every one of the {trials} different trials" if trials > 1 else "the one trial"
    return f"{which} of the space has been tried"


def enough_text(value: float) -> str:
    """What is said of a search that ends by `search.stop`."""
    return f"is as good as `search.stop` asks for, {value:g}; a better value there goes on"


def _check_failures(finished: Sequence[Result], most: int | None, name: str) -> None:
    """Raises SweepError where so many trials fail that the rest would too, or more than the user allows."""
    own = [one for one in finished if not is_imported(one)]
    first = own[:FIRST_FAILURES]
    if len(own) == FIRST_FAILURES and all(one.state is TrialState.FAIL and one.reason != DIVERGED for one in first):
        raise SweepError(
            f"the first {FIRST_FAILURES} trials all failed; trial {first[0].number}: {first[0].reason}",
            hint=f"Mend it and run with --fresh; `sweep show {name} {first[0].number}` has the traceback",
        )
    failed = [result for result in own if result.state is TrialState.FAIL]
    if most is not None and len(failed) > most:
        raise SweepError(
            f"{pluralize(len(failed), 'trial')} failed, more than --max-failures {most}; the last: {failed[-1].reason}",
            hint="The same command with a larger --max-failures goes on",
        )


class TransientFailure(Exception):
    """A trial failed by a fault that may be gone when it is tried again. Nothing that came after is in the record."""


class GenerationTraining:
    """Trains generations of a sweep into one record."""

    def __init__(self, sweep: OpenSweep, record: TrialRecord, emit: Listener | None = None) -> None:
        """The listener, by default the sweep's, hears of each epoch and, once, of each trial that ends."""
        self._sweep, self._record, self._emit = sweep, record, emit or sweep.emit
        self._told: set[int] = set()  # trials of which it was said that they ended
        self._said_stopping = False
        self._tries: Counter[int] = Counter()  # generation -> how often it was trained again

    def results(self, generation: Generation, judge: Judge, total: int) -> Iterator[Result]:
        """Trials below number `total` in order, each yielded once it is in the record, without its weights.

        A trial that ends before its turn is kept in the spool, and is not trained again. It ends early where the user
        asks to stop.

        Raises TransientFailure, at most RETRIES times a generation: the machine failed a trial. Were that recorded, its
        mates would be compared without it.
        """
        runner, emit, wall = self._sweep.runner, self._emit, self._sweep.wall
        with wall.part("record"):
            generation.take_up(self._record, total, judge.name, runner.name)
        wanted, waiting = generation.wanted(total), generation.waiting
        self._tell(waiting.values())
        watch = Watch(judge, emit, self._stopping)
        with closing(self._trained(generation.asked, wanted - set(waiting), watch)) as trained:
            for number in sorted(wanted):
                while number not in waiting:
                    with wall.part("train"):
                        result = next(trained, None)
                    if result is None:
                        return
                    if result.is_transient and self._tries[generation.index] < RETRIES:
                        self._tries[generation.index] += 1
                        why = f"since the machine failed it: {result.reason}"
                        emit(Noticed(f"{result.name} is trained again, {why}"))
                        raise TransientFailure
                    signed = replace(result, engine=judge.name, runner=runner.name)
                    waiting[result.number] = signed
                    if result.number != number:
                        with wall.part("record"):
                            self._tell([self._record.wait(signed)])
                with wall.part("record"):
                    recorded = self._record.add(waiting.pop(number))
                self._tell([recorded])
                yield recorded
            next(trained, None)  # its end: the last trial is in the record, so its checkpoint can go

    def to_the_end(self, generation: Generation, name: str) -> bool:
        """Train a generation of which no trial is stopped, again after each transient failure; whether all is there."""
        total = max(one.number for one in generation.asked) + 1
        while not (generation.is_recorded or self._sweep.stop):
            with suppress(TransientFailure):
                generation.done.extend(self.results(generation, StopsAt(name=name), total))
                break
        return generation.is_recorded

    def _trained(self, asked: list[Suggestion], missing: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        """Results of the missing trials. Those with the same data train together, and after them those with others."""
        parts: dict[Variant, list[Suggestion]] = {}
        for one in asked:
            parts.setdefault(variant_of(one.params), []).append(one)
        numbers = {of: missing.intersection(one.number for one in part) for of, part in parts.items()}
        # All runners share the file of what still trains, and one removes it at its end: those with nothing to do wait.
        for place, of in enumerate(sorted(parts, key=lambda of: not numbers[of])):
            if place and watch.stopping():
                return
            rows = self._sweep.rows_of(of)
            with closing(self._sweep.runner_of(of).run(parts[of], numbers[of], watch)) as trained:
                for result in trained:
                    yield replace(result, rows=rows)

    def _stopping(self) -> bool:
        stop = self._sweep.stop
        if stop.signalled and not self._said_stopping:
            self._said_stopping = True
            self._emit(Noticed("stopping after these epochs; the same signal again stops at once"))
        return bool(stop)

    def _tell(self, results: Iterable[Result]) -> None:
        """Of those that are kept from now on, in the record or in the spool."""
        for result in results:
            if result.number not in self._told:
                self._told.add(result.number)
                self._emit(TrialEnded(replace(result, weights=None, scores=None)))
