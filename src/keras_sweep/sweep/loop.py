"""Run the search: an engine suggests a generation, a runner trains its trials, and the record saves the results.

Only this module uses all three. If a recorded generation is incomplete, the engine suggests it again first.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
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
from keras_sweep.space.variants import Variant, get_variant
from keras_sweep.sweep.events import EndReason, GenerationAsked, TrialEnded
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.training.runner import Joining, Pruner, StopsAt, Watch, find_ends
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import ADDED, good_enough, improvements, is_imported, is_searched, winner
from keras_sweep.trial.result import DIVERGED, Result, Suggestion, TrialState

# If the first eight trials all fail by the same cause, the model or the data are wrong. If two of three values of a
# space fail, 96 % of all sweeps continue. Out of memory depends on a trial's values, and ends no sweep.
FIRST_FAILURES = 8
RETRIES = 2  # of a generation, after the machine failed a trial


@dataclass
class Generation:
    """Trials that were suggested together, and their results until now."""

    index: int  # from 0 within the sweep
    suggestions: list[Suggestion]
    recorded: list[Result] = field(default_factory=list)  # results in the record, by number
    spooled: dict[int, Result] = field(default_factory=dict)  # ended trials that wait until lower numbers are recorded
    ended: list[Result] = field(default_factory=list)  # to be learned; the list that `Generations` has
    resumed: bool = False  # whether some trials had ended before this run suggested them

    @property
    def is_recorded(self) -> bool:
        return len(self.recorded) == len(self.suggestions)

    def missing_numbers(self, total: int) -> frozenset[int]:
        numbers = {result.number for result in self.recorded}
        return frozenset(suggestion.number for suggestion in self.suggestions if suggestion.number < total) - numbers

    def load_spooled(self, record: TrialRecord, total: int, engine: str, runner: str) -> None:
        """Fill `spooled` with the ended trials that wait in a folder until trials with lower numbers are recorded.

        Only this generation's numbers below `total` are loaded. A trial is discarded if its suggestion has changed, its
        engine is not `engine`, or its runner is not `runner`.
        """
        missing = self.missing_numbers(total)
        expected = {suggestion.number: suggestion for suggestion in self.suggestions if suggestion.number in missing}
        for number, result in record.waiting(expected).items():
            old, new = result.suggestion, expected[number]
            is_same = (old.params, old.generation, old.continues) == (new.params, new.generation, new.continues)
            if is_same and (result.engine, result.runner) == (engine, runner):
                self.spooled[number] = result
            else:
                record.discard(number)
        self.resumed = bool(self.recorded or self.spooled)


class Generations:
    """Suggest the generations of a search in order.

    A generation begins when all earlier trials have ended. With `pace`, it begins `pace` epochs after the generation
    before, and its sampler knows each trial that needs no more epochs than that, for each generation in between. So
    suggestions depend on results alone, never on time.
    """

    engine: Engine  # `reopen` replaces the engine, and `close` may
    incomplete: Generation | None  # the next generation, if a part of it is in the record
    _index: int  # of the next generation
    _ended: list[Result]  # results that the engine has not learned

    def __init__(self, spec: SweepSpec, size: int, finished: Sequence[Result], wall: WallTime, ahead: int = 1) -> None:
        """Build the engine, and let it learn the recorded trials `finished`. `wall` times this as phase "sampler".

        A generation has `size` trials. An engine that does not learn suggests `ahead` generations at once.
        """
        self._spec, self._size, self._ahead, self._wall = spec, size, ahead, wall
        self._pace = spec.search.pace or math.inf
        with wall.phase("sampler"):
            self.reopen(finished)

    def next(self) -> Generation:
        """Return an earlier run's incomplete generation, else a new generation, which is empty if no point is left."""
        if self.incomplete is not None:
            generation, self.incomplete = self.incomplete, None
            return generation
        with self._wall.phase("sampler"):
            return self._ask()

    def join(self, progress: Sequence[tuple[int, int]]) -> Generation | None:
        """Return the next generation if it begins beside the trials that train.

        `progress` has a pair for each of these trials: its generation, and the epochs after which it trains on.
        """
        if not progress or any(epochs < self._age(index) for index, epochs in progress):
            return None
        with self._wall.part("sampler"):
            self._tell_known()
            generation = self._ask()
        return generation if generation.suggestions else None

    def close(self, generation: Generation, finished: Sequence[Result]) -> None:
        """Let the engine learn a recorded generation. `finished` has all recorded trials."""
        # The runner trained only missing trials, and may not have compared all trials at the last rungs.
        if generation.resumed:
            self.reopen(finished)
        with self._wall.part("sampler"):
            self._tell_known()

    def reopen(self, finished: Sequence[Result], *, can_continue: bool = True) -> None:
        """Rebuild the engine from `finished`, all recorded trials, in the order in which the search learned them."""
        generations = [list(group) for _, group in groupby(finished, key=lambda result: result.suggestion.generation)]
        with self._wall.part("sampler"):
            self.engine, self._index, self.incomplete, self._ended = make_engine(self._spec), 0, None, []
            for results in generations:
                self._index = results[0].suggestion.generation
                self._tell_known()
                size = self.engine.generation_size(self._index, self._size)
                if can_continue and results is generations[-1] and len(results) < size:
                    generation = self._ask()
                    is_same_beginning = all(
                        (suggestion.number, suggestion.params) == (result.number, result.suggestion.params)
                        for suggestion, result in zip(generation.suggestions, results, strict=False)
                    )
                    if is_same_beginning and len(generation.suggestions) > len(results):
                        generation.recorded, self.incomplete = results, generation
                        self._ended += results
                        return
                    # The generation is complete, or another engine or size suggested it and it can't be continued. The
                    # next generation needs an engine that has suggested nothing yet.
                    self.reopen(finished, can_continue=False)
                    return
                self.engine.recall(results)
                self.engine.pend([result.suggestion for result in results])
                self._ended += results
                self._index += 1
            self._tell_known()

    def _age(self, index: int) -> float:
        """Return how many epochs generation `index` is older than the next generation."""
        return (self._index - index) * self._pace

    def _tell_known(self) -> None:
        """Let the engine learn the ended trials that the next generation may know."""
        known, unknown = list[Result](), list[Result]()
        for result in sorted(self._ended, key=lambda result: result.number):
            epochs = result.epochs + (result.state is TrialState.FAIL)  # until it fails, it looks as if it trained on
            is_known = not is_searched(result) or epochs <= self._age(result.suggestion.generation)
            (known if is_known else unknown).append(result)
        self._ended[:] = unknown
        self.engine.tell(known)

    def _ask(self) -> Generation:
        index, size = self._index, self.engine.generation_size(self._index, self._size)
        started = time.perf_counter()
        suggestions = self.engine.ask_ahead(size, self._ahead)
        seconds = (time.perf_counter() - started) / max(len(suggestions), 1)
        suggestions = [
            replace(suggestion, generation=index + place // size, sampler_seconds=seconds)
            for place, suggestion in enumerate(suggestions)
        ]
        self.engine.pend(suggestions)
        self._index += -(-len(suggestions) // size)
        return Generation(index, suggestions, ended=self._ended)


def search(sweep: OpenSweep, record: TrialRecord, total: int, *, most_failures: int | None = None) -> EndReason:
    """Suggest and train trials until `total` trials are recorded. Return why the search ended.

    A stopped search resumes as if it had never stopped: the engine suggests the same trials, and the runner trains the
    missing trials. After a transient failure (disk, network) the rest of the generation is trained again, at most
    RETRIES times. Raises SweepError if the first trials all fail alike, or more than `most_failures` (None: no limit).
    """
    finished, runner, emit, stop = record.results(), sweep.runner, sweep.emit, sweep.stop
    ahead = runner.ahead if sweep.spec.search.stop is None else 1  # with `search.stop` each generation may be the last
    generations = Generations(sweep.spec, runner.generation, finished, sweep.wall, ahead)
    training = GenerationTraining(sweep, record)
    while len(finished) < total:
        if stop:
            return find_end_reason(stop)
        if generations.incomplete is None and (early := find_early_end(sweep.spec, finished)) is not None:
            emit(Noticed(early[1]))
            return early[0]
        generation = generations.next()
        if not generation.suggestions:
            emit(Noticed(describe_exhausted_space(len(finished))))
            return EndReason.EXHAUSTED
        emit(GenerationAsked(generation.index, tuple(generation.suggestions)))
        try:
            for result in training.train(generation, generations.engine, total, generations):
                finished.append(result)
                generation.recorded.append(result)
                _check_failures(finished, most_failures, sweep.spec.name)
        except TransientFailure:
            generations.reopen(finished)
            continue
        if generation.is_recorded:
            generations.close(generation, finished)
            # Trials of an incomplete generation may continue any trial.
            if generations.incomplete is None:
                runner.keep_only(generations.engine.continuable())
        elif len(finished) < total and not stop:
            raise SweepError(f"the runner {runner.name} returned no trial {len(finished)}", hint="Please report it")
    return EndReason.DONE


def complete_added_point(spec: SweepSpec, finished: Sequence[Result], values: Params) -> tuple[Params, Result | None]:
    """Complete `values` from the best trial. Return (all values, the finished trial that has these values, or None)."""
    best = winner(finished, spec.objective)
    point = complete_point(spec, values, best.params if best is not None else {})
    return point, next((trial for trial in finished if identity(trial.params) == identity(point)), None)


def train_point(sweep: OpenSweep, record: TrialRecord, values: Params) -> EndReason:
    """Train a trial with the user's `values`, in a generation of its own, unless a trial already has these values.

    The best trial supplies missing values. Return DONE, or why training stopped. Raises UsageError for invalid values.
    """
    finished = record.results()
    point, duplicate = complete_added_point(sweep.spec, finished, values)
    if duplicate is not None:
        sweep.emit(Noticed(f"{duplicate.name} already has these values"))
        return EndReason.DONE
    index = finished[-1].suggestion.generation + 1 if finished else 0
    suggestion = Suggestion(len(finished), point, index)
    sweep.emit(GenerationAsked(index, (suggestion,)))
    is_trained = GenerationTraining(sweep, record).train_to_end(Generation(index, [suggestion]), ADDED)
    return EndReason.DONE if is_trained else find_end_reason(sweep.stop)


def find_end_reason(stop: StopRequest) -> EndReason:
    return EndReason.INTERRUPTED if stop.signalled else EndReason.OUT_OF_TIME


def describe_exhausted_space(trials: int) -> str:
    return f"all {trials} different trials of the space are done" if trials > 1 else "the space's only trial is done"


def find_early_end(spec: SweepSpec, results: Sequence[Result]) -> tuple[EndReason, str] | None:
    """Return why `search.stop` ends the search after these trials, with a message. Return None if it does not."""
    objective, stop = spec.objective, spec.search.stop
    if stop is None:
        return None
    if stop.value is not None and (trial := good_enough(results, objective, stop.value)):
        reached = f"reached `search.stop.value`, {stop.value:g}; with a better value there the search resumes"
        return EndReason.GOOD_ENOUGH, f"{trial.name} ({objective.name} {trial.value:.4f}) {reached}"
    last = max((trial.number for trial in improvements(results, objective)), default=math.inf)
    count = sum(trial.number > last and is_searched(trial) for trial in results)
    message = f"no better trial in the last {count}; with a larger `search.stop.patience` the search resumes"
    return (EndReason.NO_BETTER, message) if count >= (stop.patience or math.inf) else None


def _check_failures(finished: Sequence[Result], most: int | None, name: str) -> None:
    """Raise SweepError if the first trials all failed by one cause, or if more than `most` failed.
    `name`: the sweep's name."""
    if most is None and finished[-1].state is not TrialState.FAIL:
        return
    trained = [trial for trial in finished if not is_imported(trial)]
    first = trained[:FIRST_FAILURES]
    causes = {_find_cause(trial) for trial in first}
    if len(trained) == FIRST_FAILURES and len(causes) == 1 and None not in causes:
        raise SweepError(
            f"the first {FIRST_FAILURES} trials all failed alike; trial {first[0].number}: {first[0].reason}",
            hint=f"Fix the cause, then add `--fresh`. `sweep show {name} {first[0].number}` has the traceback. "
            "If only some values fail, the same command continues with others",
        )
    failed = [result for result in trained if result.state is TrialState.FAIL]
    if most is not None and len(failed) > most:
        raise SweepError(
            f"{pluralize(len(failed), 'trial')} failed, but `--max-failures` is {most}; the last: {failed[-1].reason}",
            hint="The same command with a larger `--max-failures` resumes",
        )


def _find_cause(trial: Result) -> str | None:
    """Return the reason without its numbers, if the trial's error may be an error of all trials; otherwise None."""
    if trial.state is not TrialState.FAIL or trial.reason == DIVERGED or trial.is_out_of_memory:
        return None
    return re.sub(r"[-+.e\d]*\d[-+.e\d]*", "#", trial.reason or "")


class TransientFailure(Exception):
    """A trial failed, but a retry may succeed. The record has neither this trial nor trials with higher numbers."""


class GenerationTraining:
    def __init__(self, sweep: OpenSweep, record: TrialRecord, emit: Listener | None = None) -> None:
        """Send the events of epochs and ended trials to `emit`, by default to the listener of the sweep."""
        self._sweep, self._record, self._emit = sweep, record, emit or sweep.emit
        self._emitted: set[int] = set()  # trials whose end was emitted
        self._has_said_stopping = False
        self._tries: Counter[int] = Counter()  # generation -> retries

    def train(
        self, generation: Generation, pruner: Pruner, total: int, generations: Generations | None = None
    ) -> Iterator[Result]:
        """Train the trials with numbers below `total`. Yield each result, without weights, once it is recorded.

        Results are recorded in the order of numbers. A trial that ends before a trial with a lower number waits in a
        folder, the spool. A request to stop ends the iteration. Raises TransientFailure if disk or network
        failed a trial, at most RETRIES times per generation. If the failure were recorded, the other trials would be
        compared without the trial. The generations that `generations` suggests meanwhile join.
        """
        runner, emit, wall, ends = self._sweep.runner, self._emit, self._sweep.wall, dict[int, int]()

        def begin(part: Generation) -> frozenset[int]:
            """Load the trials of `part` that have ended. Return the numbers of the trials to train."""
            with wall.part("record"):
                part.load_spooled(self._record, total, pruner.name, runner.name)
            self._emit_ended(part.spooled.values())
            generation.ended += part.spooled.values()
            ends.update(find_ends([*part.recorded, *part.spooled.values()]))
            return part.missing_numbers(total).difference(part.spooled)

        def join(progress: Sequence[tuple[int, int]]) -> Joining | None:
            if generations is None or generation.suggestions[-1].number + 1 >= total:
                return None
            if (part := generations.join(progress)) is None:
                return None
            emit(GenerationAsked(part.index, tuple(part.suggestions)))
            wanted = begin(part)
            generation.suggestions += part.suggestions
            generation.spooled |= part.spooled
            generation.resumed |= part.resumed
            return part.suggestions, wanted

        wanted, watch = begin(generation), Watch(pruner, emit, self._is_stopping, join, ends)
        number, spooled = min(generation.missing_numbers(total)), generation.spooled
        with closing(self._train_rest(list(generation.suggestions), wanted, watch)) as results:
            while True:
                while number in spooled:
                    with wall.part("record"):
                        recorded = self._record.add(spooled.pop(number))
                    self._emit_ended([recorded])
                    number += 1
                    yield recorded
                with wall.part("train"):
                    result = next(results, None)  # at the end, the runner deletes the last checkpoint
                if result is None:
                    return
                if result.is_transient and self._tries[generation.index] < RETRIES:
                    self._tries[generation.index] += 1
                    emit(Noticed(f"{result.name} is trained again, since the machine failed it: {result.reason}"))
                    raise TransientFailure
                signed = spooled[result.number] = replace(result, engine=pruner.name, runner=runner.name)
                generation.ended.append(signed.light())
                if result.number != number:
                    with wall.part("record"):
                        self._emit_ended([self._record.wait(signed)])

    def train_to_end(self, generation: Generation, name: str) -> bool:
        """Train the trials without pruning, with retries. Record `name` as engine. Return False if stopped early."""
        total = max(suggestion.number for suggestion in generation.suggestions) + 1
        while not (generation.is_recorded or self._sweep.stop):
            with suppress(TransientFailure):
                generation.recorded.extend(self.train(generation, StopsAt(name=name), total))
                break
        return generation.is_recorded

    def _train_rest(
        self, trials: list[Suggestion], missing: frozenset[int], watch: Watch
    ) -> Generator[Result, None, None]:
        """Yield results of the `trials` with numbers in `missing`. Trials with the same data options train together."""
        parts: dict[Variant, list[Suggestion]] = {}
        for suggestion in trials:
            parts.setdefault(get_variant(suggestion.params), []).append(suggestion)
        numbers = {variant: missing.intersection(s.number for s in part) for variant, part in parts.items()}
        # All runners share the checkpoint file, and a runner deletes the file at its end. Idle runners come last.
        for position, variant in enumerate(sorted(parts, key=lambda variant: not numbers[variant])):
            if position and watch.stopping():
                return
            rows = self._sweep.rows_of(variant)
            with closing(self._sweep.runner_of(variant).run(parts[variant], numbers[variant], watch)) as results:
                for result in results:
                    yield replace(result, rows=rows)

    def _is_stopping(self) -> bool:
        stop = self._sweep.stop
        if stop.signalled and not self._has_said_stopping:
            self._has_said_stopping = True
            self._emit(Noticed("stopping after the current epochs; a second Ctrl-C or signal stops at once"))
        return bool(stop)

    def _emit_ended(self, results: Iterable[Result]) -> None:
        for result in results:
            if result.number not in self._emitted:
                self._emitted.add(result.number)
                self._emit(TrialEnded(replace(result, weights=None, scores=None)))
