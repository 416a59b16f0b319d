"""A sweep that was run, ready to be worked on again: its spec, data and record.

A record may be somebody else's: what it says is read as data, and code that it names is imported by `--trust` alone.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keras_sweep.data.catalog import of_trial
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, RecordError, SpaceFileError, UsageError
from keras_sweep.process.backend import BACKENDS, check_environment, choose_backend, use_keras_config
from keras_sweep.process.given import given, is_given, name_of, was_given
from keras_sweep.process.user_code import forget_changed, place_of
from keras_sweep.record.facts import Facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.runner import Runner
from keras_sweep.training.workers.pool import Pool
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import best_training, comparable, imported, winner
from keras_sweep.trial.result import Result


@dataclass(frozen=True, slots=True)
class OpenedTrial:
    """A trial of a record that is open, and what it takes to work on its model."""

    study: StudyFile
    spec: SweepSpec  # with the trial's variant of the data
    data: SearchData  # that variant
    trial: Result
    emit: Listener
    runner: Runner | None = None  # trains it again where that is needed; None: one as the record names
    stopping: Callable[[], bool] = lambda: False  # whether such a training is to stop
    workers: Pool | None = None  # who trains it on all rows; None: this process


@dataclass(frozen=True, slots=True)
class SweepAccess:
    """A recorded sweep, and on which terms its models may be worked on."""

    folder: SweepFolder
    emit: Listener = lambda _: None  # hears what goes on
    spec: SweepSpec | None = None  # stands for the recorded one where the user has just given it
    trust: bool = False  # whether code that the record names may be imported
    backend: str | None = None  # of Keras; by default the one that trained the trial

    @contextmanager
    def opened(self, number: int | None) -> Iterator[OpenedTrial]:
        """Open the record for the trial of that number, or the winner; Keras is set to its backend.

        Raises UsageError: there is no such trial, another program trained it, the record names code and is not trusted,
        or the backend does not fit; RecordError: no trial has completed; and as `recorded_data`.
        """
        with StudyFile.open(self.folder) as study:
            spec = self._spec_of(study)
            trial = trial_of(study, spec.objective, number)
            if imported(trial):
                raise UsageError(
                    f"{trial.name} was trained elsewhere: it can't be trained again here, and has no weights",
                    hint="Choose a trial that was trained here",
                )
            choose_backend(self.backend, default=backend_of(trial.runner))
            check_environment()
            enable_compile_cache()
            spec, data = of_trial(*recorded_data(study, spec, self.emit), trial.params)
            yield OpenedTrial(study, spec, data, trial, self.emit)

    def validation(self) -> Rows:
        """The validation rows, as the model takes them: the winner's, if trials differ in them. Raises as `opened`."""
        with StudyFile.open(self.folder) as study:
            spec = self._spec_of(study)
            choose_backend(self.backend)
            spec, data = recorded_data(study, spec, self.emit)
            params = trial_of(study, spec.objective, None).params if data.variants else {}
            return of_trial(spec, data, params)[1].validation

    def _spec_of(self, study: StudyFile) -> SweepSpec:
        """The spec of a sweep as it was run; if it names code to be imported (`python:`), that is said first.

        Raises UsageError: the code is not trusted, or as `unfollowed_spec`.
        """
        if self.spec is not None:
            return self.spec
        spec = unfollowed_spec(study.facts, study.name, study.folder)
        who = f"record of {study.name!r}"
        ask_for_trust(spec.code, spec.folder, who, trust=self.trust, emit=self.emit, data=spec.data)
        return spec


def ask_for_trust(
    sources: Iterable[str], folder: Path, who: str, *, trust: bool, emit: Listener, data: DataSpec | None = None
) -> None:
    """Say which code is imported from where, if any is, and which server runs the query of `data`; `who` names it.

    What this program has given is its own. Raises UsageError where it is not trusted, or stands in another program.
    """
    foreign = [source for source in dict.fromkeys(sources) if not was_given(source)]
    for source in filter(is_given, foreign):
        given(source)
    server = None if data is None else find_source(data.kind).server(data)
    places = [f"{source} from {place_of(source, folder)}" for source in foreign]
    code = " and ".join([*places, *([] if server is None else [f"a query at {server}"])])
    if code and not trust:
        raise UsageError(
            f"this needs code that the {who} names: {code}. A {who.split()[0]} alone runs none, since it may be "
            "somebody else's",
            hint="If you know that code, add `--trust`",
        )
    if code:
        emit(Noticed(f"`--trust`: imports and runs {code}"))


def unfollowed_spec(facts: Facts, name: str, folder: SweepFolder) -> SweepSpec:
    """The spec of a sweep as it was run, whose paths start where the space file was; no `python:` is followed.

    Raises UsageError: it was imported without a space file, or its text is no space file of this version.
    """
    refuse_imported(facts, name)
    origin = Path(facts.origin or ".")
    engine, _, sampler = facts.engine.partition("/")
    file = origin / f"{name}.yaml"
    try:
        return read_space_file(file, text=facts.space, name=name, engine=engine or None, sampler=sampler or None)
    except SpaceFileError as error:
        more = f" (and {len(error.faults) - 1} more faults)" if len(error.faults) > 1 else ""
        raise UsageError(
            f"the space file in {folder.study} can't be used: {error.faults[0].text(folder.space)}{more}",
            hint="It was written by another version, or altered: give `sweep run` the space file",
        ) from error


def refuse_imported(facts: Facts, name: str) -> None:
    """Raises UsageError where another program searched, and there is no space file."""
    if facts.imported is not None:
        raise UsageError(
            f"the sweep {name!r} was imported from {facts.imported} without a space file",
            hint="Import it once more with `--space`, and run that",
        )


def recorded_data(study: StudyFile, spec: SweepSpec, emit: Listener) -> tuple[SweepSpec, SearchData]:
    """The sweep's data, read again, and its spec with what its model adds to it; Keras is configured as it was.

    Raises DataError: they can't be read; ChangedSweep: other rows are there now, or other code of the model.
    """
    from keras_sweep.models.build import changed_code, model_code
    from keras_sweep.models.inspect_model import load_rows, with_own_parameters

    forget_changed(spec.code, spec.folder)
    if parts := changed_code(study.facts.model_code, model_code(spec, now=True)):
        source = spec.model.source
        raise ChangedSweep(
            f"the code of the model has changed since the sweep {study.name!r} was run: {', '.join(parts)} in "
            f"{name_of(source) if is_given(source) else spec.folder}; its trials are of the former code",
            hint="Bring the former code back, or run the sweep anew under another name",
        )
    if (words := use_keras_config(study.facts.keras_config)) is not None:
        emit(Noticed(words))
    spec, data = load_rows(spec)
    if data.fingerprint != study.facts.fingerprint:
        raise ChangedSweep(
            f"the data of the sweep {study.name!r} have changed since it was run",
            hint="Bring the former rows back, or run the sweep anew under another name",
        )
    return with_own_parameters(spec, data), data


def trial_of(study: StudyFile, objective: Objective, number: int | None) -> Result:
    """The trial of that number, or the winner: of its trainings with several seeds the best.

    Raises UsageError, or RecordError where no trial has completed.
    """
    results = study.ranked_results()
    if number is None:
        return best_training(needed_winner(study.name, results, objective), objective)
    return RecordedSweep(study.folder, study.facts, results).trial(number)


def backend_of(runner: str) -> str | None:
    """The Keras backend of a runner of that name; None for another program's."""
    backend = runner.partition("/")[2]
    return backend if backend in BACKENDS else None


CHOOSE_ANEW = "With another `where` in `finish: {choose: ...}` the same command chooses anew among these trials"


def needed_winner(name: str, results: Sequence[Result], objective: Objective) -> Result:
    """The winner of a sweep. Raises RecordError where no trial was trained here, or none completed."""
    best = winner(results, objective)
    if best is not None:
        return best
    if results and all(imported(result) for result in results):
        message = f"no trial of sweep {name!r} was trained here: those imported can't win, and have no weights"
        raise RecordError(message, hint="`sweep run` of its space file goes on from them")
    if objective.where and any(comparable(result, objective) for result in results):
        raise RecordError(f"no trial of sweep {name!r} meets `{objective.where}`", hint=CHOOSE_ANEW)
    why = f": {why_none(results)}" if results else ""
    raise RecordError(f"no trial of sweep {name!r} has completed{why}", hint="Run it, or mend what failed")


def why_none(results: Sequence[Result]) -> str:
    """How most of the trials ended, none of which completed: "4 of 4 as trial 0: diverged (loss inf in epoch 1)"."""
    reasons = Counter(one.reason for one in results)
    most, count = reasons.most_common(1)[0]
    first = next(one for one in results if one.reason == most)
    last = {name: values[-1] for name, values in first.curve.items() if values and not math.isfinite(values[-1])}
    where = f" ({', '.join(f'{name} {value}' for name, value in last.items())} in epoch {first.epochs})" if last else ""
    return f"{count} of {len(results)} as trial {first.number}: {most or first.state}{where}"


def allows_setting(facts: Facts, setting: str) -> bool:
    """Whether the recorded space file has no fault with `--set SETTING`. It follows nothing that the file names."""
    try:
        read_space_file(Path("space.yaml"), text=facts.space, sets=[setting])
    except SpaceFileError:
        return False
    return True
