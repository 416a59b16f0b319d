"""Trains one recorded trial, or finalist, once more: among the trials that it was trained with, so that every digit is
the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from keras_sweep.errors import Interrupted, RecordError
from keras_sweep.record.study_file import StudyFile
from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import EpochEnded, Event, Listener, PhaseBegan
from keras_sweep.trial.finalists import generation
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights


def trained_again(
    make_engine: Callable[[], Engine],
    runner: Runner,
    results: Sequence[Result],
    number: int,
    stopping: Callable[[], bool] = lambda: False,
    emit: Listener = lambda _: None,
) -> Result:
    """How the trial turns out when it is trained once more, stopped where the record says that it was stopped.

    Trials that it, or another of its generation, continues are trained again before it. What the sweep keeps of those
    that still train is left as it is. The listener hears what goes on.

    Raises:
        Interrupted: `stopping` said so.
    """
    recorded = next(result for result in results if result.number == number)
    tell = told_as_phases(emit, f"training {recorded.name} again")
    again = _Again(make_engine, runner.without_checkpoints(), results, stopping, tell)
    return _first(again.run(recorded.suggestion.generation, frozenset({number})), recorded)


def training_again(study: StudyFile, spec: SweepSpec, trial: Result) -> Callable[..., Result]:
    """What trains a recorded trial, or finalist, once more by a runner, as `trained_again` does.

    It takes the runner, and perhaps `stopping` and `emit`; the study may be closed by then. Raises RecordError where
    the record does not say among which trainings a finalist was trained.
    """
    results = study.results()
    if trial.suggestion.recipe is None:
        return partial(trained_again, lambda: make_engine(spec), results=results, number=trial.number)
    search = {one.number: one for one in results}
    choices, index = study.facts.finalists, trial.suggestion.generation
    if trial.finalist_seed is None or trial.recipe not in search or index >= len(choices):
        raise RecordError(f"the record does not say with which others {trial.name} was trained")
    asked = generation(choices[index], index, [trial.finalist_seed], search, study.finalists().results())

    def again(runner: Runner, stopping: Callable[[], bool] = lambda: False, emit: Listener = lambda _: None) -> Result:
        tell = told_as_phases(emit, f"training {trial.name} again")
        wanted = frozenset({trial.number})
        return _first(runner.without_checkpoints().run(asked, wanted, emit=tell, stopping=stopping), trial)

    return again


def _first(again: Iterator[Result], recorded: Result) -> Result:
    for result in again:
        return result
    raise Interrupted(f"{recorded.name} was not trained again to its end", hint="The same command does it")


def retrained_weights(
    recorded: Result,
    train_again: Callable[..., Result],
    runner: Runner,
    stopping: Callable[[], bool] = lambda: False,
) -> Weights:
    """The weights that earned the value of a trial, or finalist; `train_again` is its `training_again`.

    Raises:
        Interrupted: `stopping` said so.
        RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    if recorded.state is TrialState.FAIL:
        raise RecordError(f"{recorded.name} failed ({recorded.reason}), so there are no weights", hint="Choose another")
    again = train_again(runner, stopping=stopping)
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
        ends = {result.number: result.epochs for result in mates if result.state is TrialState.PRUNED}
        yield from self.runner.run(asked, wanted, AsRecorded(ends), self.emit, self.stopping)

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


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """A judge that stops trials at the epochs at which the record says they were stopped."""

    ends: Mapping[int, int]  # trial -> epoch
    name: str = "as recorded"

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Every epoch at which a trial was stopped."""
        return tuple(sorted({end for end in self.ends.values() if end < epochs}))

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Those that were stopped here."""
        return frozenset(number for number in values if self.ends.get(number) == epoch)


def told_as_phases(emit: Listener, words: str) -> Listener:
    """A listener that passes on phases, and each epoch of a trial as one: no trial of the search ends here."""

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            emit(PhaseBegan(f"{words}, epoch {event.epoch} is done"))
        elif isinstance(event, PhaseBegan):
            emit(event)

    return tell
