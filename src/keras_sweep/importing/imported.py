"""What was read of a search that another program ran, and how it becomes a sweep: alone, or of a space file."""

from collections import Counter
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
from keras_sweep.space.distributions import Value, as_drawn
from keras_sweep.space.search_space import Objective, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings, SweepSpec
from keras_sweep.space.text import counted
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
            study.add_many(imported.results)


def write_into(imported: Imported, folder: SweepFolder, spec: SweepSpec, fingerprint: str) -> Imported:
    """The beginning of a space file's sweep, which `sweep run` then goes on with; returns the trials that fit it.

    Raises UsageError as `fitted`, or where there is a sweep of that name; RecordError: the disk fails.
    """
    kept = fitted(imported, spec)
    _check(kept, folder)
    with SweepLock(folder), open_study(folder, spec, fingerprint) as study:
        study.add_many(kept.results)
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
    kept: list[Result] = []
    numbers: dict[int, int] = {}
    left_out: Counter[str] = Counter()
    for result in imported.results:
        try:
            params = _params_in(spec.space, result.params)
        except ValueError as misfit:
            left_out[str(misfit)] += 1
            continue
        numbers[result.number] = len(kept)
        continues = numbers.get(result.suggestion.continues) if result.suggestion.continues is not None else None
        suggestion = replace(result.suggestion, number=len(kept), params=params, continues=continues)
        curve = {ours.name if name in UNNAMED else name: values for name, values in result.curve.items()}
        kept.append(replace(result, suggestion=suggestion, curve=curve))
    notes = [f"left out: {counted(count, 'trial')}, since {misfit}" for misfit, count in sorted(left_out.items())]
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


def _params_in(space: SearchSpace, given: Params) -> Params:
    """A trial's values as the space has them. Raises ValueError that says why they are none of its."""
    known = {*space.constants, *(parameter.name for parameter in space.parameters)}
    renamed = {
        name if name in known or f"model.{name}" not in known else f"model.{name}": given[name] for name in given
    }
    for name, constant in space.constants.items():
        if renamed.setdefault(name, constant) != constant:
            raise ValueError(f"`{name}` is {renamed[name]!r}, not {constant!r}")

    def value_of(parameter: Parameter) -> Value:
        if parameter.name not in renamed:
            raise ValueError(f"there is no `{parameter.name}`")
        value = as_drawn(parameter.distribution, renamed[parameter.name])
        if not parameter.distribution.contains(value):
            raise ValueError(f"`{parameter.name}` is outside of the space")
        return value

    params = space.with_values(value_of)
    if not space.allows(params):
        raise ValueError("it breaks `where`")
    if unknown := sorted(set(renamed) - set(params)):
        raise ValueError(f"the space has no `{unknown[0]}`")
    return params
