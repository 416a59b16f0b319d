"""Trains one recorded trial, or finalist, once more: among the trials that it was trained with, so that every digit is
the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keras_sweep.errors import Interrupted, RecordError
from keras_sweep.record.study_file import StudyFile
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import EpochEnded, Event, Listener, PhaseBegan
from keras_sweep.trial.finalists import generation
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights


def training_again(study: StudyFile, spec: SweepSpec, trial: Result) -> Callable[..., Result]:
    """What trains a recorded trial, or finalist, once more by a runner; the study may be closed by then.

    It takes the runner, and perhaps `stopping` and `emit`, which hears what goes on. It stops the trial where the
    record says that it was stopped, and trains trials that it, or another of its generation, continues before it. What
    the sweep keeps of those that still train is left as it is. It raises Interrupted where `stopping` said so.

    Raises:
        RecordError: the record does not say among which trainings a finalist was trained.
    """
    results, index = study.results(), trial.suggestion.generation
    finalists: list[Suggestion] = []
    if trial.suggestion.recipe is not None:
        search = {one.number: one for one in results}
        choices = study.facts.finalists
        if trial.finalist_seed is None or trial.recipe not in search or index >= len(choices):
            raise RecordError(f"the record does not say with which others {trial.name} was trained")
        finalists = generation(choices[index], index, [trial.finalist_seed], search, study.finalists().results())

    def again(runner: Runner, stopping: Callable[[], bool] = lambda: False, emit: Listener = lambda _: None) -> Result:
        runner, wanted = runner.without_checkpoints(), frozenset({trial.number})
        tell = told_as_phases(emit, f"training {trial.name} again")
        trained: Iterator[Result] = _Again(spec, runner, results, stopping, tell).run(index, wanted)
        if finalists:
            trained = runner.run(finalists, wanted, emit=tell, stopping=stopping)
        for result in trained:
            return result
        raise Interrupted(f"{trial.name} was not trained again to its end", hint="The same command does it")

    return again


def retrained_weights(
    study: StudyFile, spec: SweepSpec, recorded: Result, runner: Runner, stopping: Callable[[], bool] = lambda: False
) -> Weights:
    """The weights that earned the value of a trial, or finalist, trained again by this runner.

    Raises:
        Interrupted: `stopping` said so.
        RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    if recorded.state is TrialState.FAIL:
        raise RecordError(f"{recorded.name} failed ({recorded.reason}), so there are no weights", hint="Choose another")
    again = training_again(study, spec, recorded)(runner, stopping)
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

    spec: SweepSpec
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
        engine = make_engine(self.spec)
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
