"""What was read of a search that another program ran, and how it becomes a sweep: alone, or of a space file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.record import encoding
from keras_sweep.record.facts import is_distribution
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings, SweepSpec
from keras_sweep.sweep.earlier import fitting
from keras_sweep.sweep.open_record import open_study
from keras_sweep.trial.result import Result

UNNAMED = ("value", "default_objective")  # what an objective is called where its program knows no name


@dataclass(frozen=True, slots=True)
class Imported:
    """Finished trials, renumbered from 0 in the order in which they began, all of generation 0, without weights."""

    source: str  # path or URL as it may be shown: a password is masked
    name: str  # the study's, or the project folder's
    engine: str  # "import/keras-tuner", as each result has it
    objective: Objective
    distributions: Mapping[str, str]  # of the parameters, as Optuna's JSON
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()  # what was left out, and why


def write_alone(imported: Imported, folder: SweepFolder) -> None:
    """A sweep of its own, to be looked at, without a space file. Raises UsageError: its name is taken; RecordError."""
    spec = SweepSpec(
        name=folder.name,
        folder=Path(),
        data=DataSpec("named", imported.source),
        model=ModelSpec("python", imported.source),
        loss="",
        objective=imported.objective,
        search=SearchSettings(engine=imported.engine, sampler=""),
    )
    _check(imported, folder)
    with SweepLock(folder):
        attributes = {"imported": imported.source, "trials": len(imported.results), "engine": imported.engine}
        known = {name: text for name, text in imported.distributions.items() if is_distribution(text)}
        with StudyFile.create(folder, spec, {**attributes, "distributions": known}) as study:
            study.add(*imported.results)


def write_into(imported: Imported, folder: SweepFolder, spec: SweepSpec, fingerprint: str) -> Imported:
    """The beginning of a space file's sweep, which `sweep run` then goes on with; returns the trials that fit it.

    Raises UsageError as `fitted`, or where there is a sweep of that name; RecordError: the disk fails.
    """
    kept = fitted(imported, spec)
    _check(kept, folder)
    with SweepLock(folder):
        open_study(folder, spec, fingerprint, learned=kept.results).close()
    return kept


def fitted(imported: Imported, spec: SweepSpec) -> Imported:
    """Those trials that could be trials of the sweep, as such: they can stand in its record, and its engine goes on.

    Names stay as they are, or get `model.` before them where the sweep's space knows them so. Constants of the space
    that the source says nothing of are taken to have held. What does not fit is left out, and the notes say why.

    Raises UsageError: the metric or its direction is another one, or no trial fits.
    """
    ours, theirs = spec.objective, imported.objective
    if ours.further:
        raise UsageError(
            f"trials of {imported.source} have one goal each, but this sweep has several",
            hint="Give `metric` of the space file one goal",
        )
    if theirs.goal is not ours.goal or theirs.name not in (ours.name, *UNNAMED):
        raise UsageError(
            f"{imported.source} was run to {theirs.goal} {theirs.name}, but this sweep is to {ours.goal} {ours.name}",
            hint="Name another metric of it with `--metric`, or change the space file's `metric`",
        )
    kept, notes = fitting(spec.space, imported.results)
    names = dict.fromkeys(UNNAMED, ours.name)
    kept = [replace(one, curve={names.get(name, name): of for name, of in one.curve.items()}) for one in kept]
    if not kept:
        raise UsageError(f"no trial of {imported.source} fits the sweep's space", hint="; ".join(notes))
    return replace(imported, objective=ours, results=tuple(kept), notes=(*imported.notes, *notes))


def _check(imported: Imported, folder: SweepFolder) -> None:
    """Raises UsageError where there is such a sweep, or what another program wrote is no value of a sweep."""
    if folder.exists():
        raise UsageError(f"there is a sweep {folder.name!r} already", hint="Give another name with `--name`")
    for result in imported.results:
        try:
            texts = encoding.encode(result, 0)
            encoding.decode(result.number, result.state.value, result.value, texts)
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            message = f"trial {result.number} of {imported.source} can't be kept: {error}"
            raise UsageError(message, hint="Nothing was imported") from error
