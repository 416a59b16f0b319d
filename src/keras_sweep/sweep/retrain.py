"""Trains one recorded trial, or finalist, once more: among the trials that it was trained with, so that every digit is
the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from keras_sweep.errors import Interrupted, RecordError, UsageError
from keras_sweep.record.saved import load_weights_of, weights_file_of
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.recorded import OpenedTrial, backend_of
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, PhaseBegan
from keras_sweep.trial.finalists import generation
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights


def weights_of(opened: OpenedTrial) -> Weights:
    """The trial's weights; trained again where they are not on disk as they were written.

    What is on disk serves every backend: its numbers may differ in their last digits on another one, which is said.

    Raises as `retrained_weights`; and UsageError: they would have to be trained again on another backend.
    """
    import keras

    trial, runner = opened.trial, opened.runner
    here, there = keras.backend.backend(), backend_of(trial.runner)
    why = "its weights are not kept, as those of the best are" if runner is None else "its weights are gone"
    if weights_file_of(opened.study.folder, trial).exists():
        try:
            weights = load_weights_of(opened.study.folder, trial)
        except RecordError as error:
            why = error.message
        else:
            if there != here:
                text = f"{trial.name} was trained on {there}: on {here} its numbers may differ in the last digits"
                opened.emit(Noticed(text))
            return weights
    if runner is None and there != here:
        raise UsageError(
            f"{trial.name} must be trained again on {there}, since {why}, but the backend is {here}",
            hint=f"Give `--backend {there}`",
        )
    opened.emit(Noticed(f"{trial.name} is trained again, since {why}"))
    if runner is None:
        runner, _ = choose_runner(opened.spec, opened.data, trial.runner.partition("/")[0])
    return retrained_weights(opened, runner)


def retrained_weights(opened: OpenedTrial, runner: Runner) -> Weights:
    """The weights that earned the value of a trial, or finalist, trained again by this runner.

    Raises:
        Interrupted: the user asked to stop.
        RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    recorded = opened.trial
    if recorded.state is TrialState.FAIL:
        raise RecordError(f"{recorded.name} failed ({recorded.reason}), so there are no weights", hint="Choose another")
    again = trained_again(opened, runner)
    if again.value == recorded.value and again.weights is not None:
        return again.weights
    if again.state is TrialState.FAIL:
        raise RecordError(f"{recorded.name} could not be trained again: {again.reason}", hint="Run the same again")
    raise RecordError(
        f"{recorded.name} trained again gives {again.value}, but {recorded.value} is recorded",
        hint="Use the packages and the backend that the sweep was run with (`sweep show` names them)",
    )


def trained_again(opened: OpenedTrial, runner: Runner) -> Result:
    """How a recorded trial, or finalist, turns out once more by this runner; what goes on is told as phases.

    It is stopped where the record says that it was stopped, and trials that it, or another of its generation, continues
    are trained before it. What the sweep keeps of those that still train is left as it is.

    Raises:
        Interrupted: the user asked to stop.
        RecordError: the record does not say among which trainings a finalist was trained.
    """
    study, trial, stopping, runner = opened.study, opened.trial, opened.stopping, runner.without_checkpoints()
    results, index, wanted = study.results(), trial.suggestion.generation, frozenset({trial.number})
    tell = told_as_phases(opened.emit, f"training {trial.name} again")
    of = {number: list(group) for number, group in groupby(results, key=lambda one: one.suggestion.generation)}

    def searched(number: int, wanted: frozenset[int]) -> Iterator[Result]:
        """Results of wanted trials of the search, once the runner has the ends of all that their mates continue."""
        before = [mates for earlier, mates in of.items() if earlier < number]
        asked = _asked(opened.spec, runner.generation, before, [one.suggestion for one in of[number]])
        missing = runner.missing(asked)
        for earlier in sorted({one.suggestion.generation for one in results if one.number in missing}):
            for _ in searched(earlier, missing.intersection(one.number for one in of[earlier])):
                pass
        ends = {one.number: one.epochs for one in of[number] if one.state is TrialState.PRUNED}
        yield from runner.run(asked, wanted, AsRecorded(ends), tell, stopping)

    if trial.suggestion.recipe is None:
        trained = searched(index, wanted)
    else:
        search, choices = {one.number: one for one in results}, study.facts.finalists
        if trial.finalist_seed is None or trial.recipe not in search or index >= len(choices):
            raise RecordError(f"the record does not say with which others {trial.name} was trained")
        finalists = generation(choices[index], index, [trial.finalist_seed], search, study.finalists().results())
        trained = runner.run(finalists, wanted, emit=tell, stopping=stopping)
    for result in trained:
        return result
    raise Interrupted(f"{trial.name} was not trained again to its end", hint="The same command does it")


def _asked(spec: SweepSpec, size: int, before: Sequence[Sequence[Result]], known: list[Suggestion]) -> list[Suggestion]:
    """The whole generation whose first trials are known: the sweep may have ended inside it."""
    if size <= len(known):
        return known
    engine = make_engine(spec)
    engine.replay(before)
    again = engine.ask(size)
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
