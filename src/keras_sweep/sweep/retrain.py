"""Trains a recorded trial, or finalist, again among those that it was trained with, so that every digit is the same."""

from collections.abc import Iterator
from itertools import groupby

from keras_sweep.errors import Interrupted, RecordError, UsageError
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.saved import load_weights_of, weights_file_of
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import variant_of
from keras_sweep.sweep.finalists import suggest_finalists
from keras_sweep.sweep.generations import Generations
from keras_sweep.sweep.open_sweep import OpenSweep, backend_of
from keras_sweep.training.runner import Runner, StopsAt, Watch
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, PhaseBegan
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights


def weights_of(sweep: OpenSweep, trial: Result) -> Weights:
    """The weights that earned the value of a trial, or finalist; trained again where they are not on disk as written.

    What is on disk serves every backend: its numbers may differ in their last digits on another one, which is said.

    Raises Interrupted: the user asked to stop; UsageError: they would have to be trained again on another backend than
    this one; RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    sweep.load(trial)
    import keras  # only now its backend is chosen

    here, there = keras.backend.backend(), backend_of(trial.runner)
    why = "its weights are not kept, as those of the best are" if not sweep.is_running else "its weights are gone"
    if weights_file_of(sweep.folder, trial).exists():
        try:
            weights = load_weights_of(sweep.folder, trial)
        except RecordError as error:
            why = error.message
        else:
            if there != here:
                text = f"{trial.name} was trained on {there}: on {here} its numbers may differ in the last digits"
                sweep.emit(Noticed(text))
            return weights
    if trial.state is TrialState.FAIL:
        raise RecordError(f"{trial.name} failed ({trial.reason}), so there are no weights", hint="Choose another")
    if not sweep.is_running and there != here:
        raise UsageError(
            f"{trial.name} must be trained again on {there}, since {why}, but the backend is {here}",
            hint=f"Give `--backend {there}`",
        )
    sweep.emit(Noticed(f"{trial.name} is trained again, since {why}"))
    again = train_again(sweep, trial, sweep.runner_for(trial))
    if again.value == trial.value and again.weights is not None:
        return again.weights
    gives = again.reason if again.value is None else again.value
    raise RecordError(
        f"{trial.name} trained again gives {gives}, but {trial.value} is recorded",
        hint="Use the packages and the backend that the sweep was run with (`sweep show` names them)",
    )


def train_again(sweep: OpenSweep, trial: Result, runner: Runner) -> Result:
    """How a recorded trial, or finalist, turns out once more by this runner; what goes on is told as phases.

    It is stopped where the record says that it was stopped, and trials that it, or another of its generation, continues
    are trained before it. What the sweep keeps of those that still train is left as it is.

    Raises Interrupted: the user asked to stop; RecordError: it is not recorded with which others a finalist trained.
    """
    study, (spec, _), runner = sweep.study, sweep.load(trial), runner.without_checkpoints()
    variant = variant_of(trial.params)  # of the data: its mates with others trained in other programs
    results, index, wanted = study.results(), trial.suggestion.generation, frozenset({trial.number})
    tell = told_as_phases(sweep.emit, f"training {trial.name} again")
    of = {number: list(group) for number, group in groupby(results, key=lambda one: one.suggestion.generation)}

    def searched(number: int, wanted: frozenset[int]) -> Iterator[Result]:
        """Results of wanted trials of the search, once the runner has the ends of all that their mates continue."""
        before = [one for one in results if one.suggestion.generation < number]
        asked = _asked(spec, runner.generation, before, of[number])
        asked = [one for one in asked if variant_of(one.params) == variant]
        missing = runner.missing(asked)
        for earlier in sorted({one.suggestion.generation for one in results if one.number in missing}):
            for _ in searched(earlier, missing.intersection(one.number for one in of[earlier])):
                pass
        ends = {one.number: one.epochs for one in of[number] if one.state is TrialState.PRUNED}
        yield from runner.run(asked, wanted, Watch(StopsAt(ends), tell, lambda: sweep.stop.signalled))

    if trial.suggestion.recipe is None:
        trained = searched(index, wanted)
    else:
        search, choices = {one.number: one for one in results}, study.facts.finalists
        if trial.finalist_seed is None or trial.recipe not in search or index >= len(choices):
            raise RecordError(f"the record does not say with which others {trial.name} was trained")
        finalists = suggest_finalists(choices[index], index, [trial.finalist_seed], search, study.finalists().results())
        finalists = [one for one in finalists if variant_of(one.params) == variant]
        trained = runner.run(finalists, wanted, Watch(emit=tell, stopping=lambda: sweep.stop.signalled))
    for result in trained:
        return result
    raise Interrupted(f"{trial.name} was not trained again to its end", hint="The same command does it")


def _asked(spec: SweepSpec, size: int, before: list[Result], known: list[Result]) -> list[Suggestion]:
    """The whole generation whose first trials are known: the sweep may have ended inside it."""
    asked = [one.suggestion for one in known]
    if make_engine(spec).generation_size(asked[0].generation, size) <= len(asked):
        return asked
    again = Generations(lambda: make_engine(spec), size, [*before, *known], WallTime()).opened
    return asked if again is None else again.asked


def told_as_phases(emit: Listener, words: str) -> Listener:
    """A listener that passes on phases, and each epoch of a trial as one: no trial of the search ends here."""

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            emit(PhaseBegan(f"{words}, epoch {event.epoch} is done"))
        elif isinstance(event, PhaseBegan):
            emit(event)

    return tell
