"""Writes what another program searched into a new sweep, alone or as the beginning of a space file's sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.foreign.imported import Imported
from keras_sweep.opening import open_study
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Params, SearchSpace
from keras_sweep.space.sweep_spec import DataSpec, ModelSpec, SearchSettings, SweepSpec
from keras_sweep.trial import Result


def adopt(imported: Imported, folder: SweepFolder) -> None:
    """A sweep of its own, to be looked at: there is no space file, so it can't be run or exported from.

    Raises:
        UsageError: there is a sweep of that name.
        RecordError: the disk fails.
    """
    spec = SweepSpec(
        name=folder.name,
        folder=Path(),
        text="",
        data=DataSpec("named", imported.source),
        model=ModelSpec("python", imported.source),
        loss="",
        metrics=(),
        objective=imported.objective,
        space=imported.space,
        search=SearchSettings(engine=imported.engine, sampler="", trials=len(imported.results)),
    )
    _check_new(folder)
    with SweepLock(folder):
        attributes = {"imported": imported.source, "trials": len(imported.results), "engine": imported.engine}
        with StudyFile.create(folder, spec, attributes) as study:
            study.add_many(imported.results)


def adopt_into(imported: Imported, folder: SweepFolder, spec: SweepSpec, fingerprint: str) -> int:
    """The beginning of a space file's sweep, which `sweep run` then goes on with; returns how many trials fit it.

    Args:
        imported: trials; those whose parameters are not of the space are left out.
        folder: of the new sweep.
        spec: the sweep.
        fingerprint: of its data.

    Raises:
        UsageError: there is a sweep of that name, the two have other metrics, or no trial fits the space.
        RecordError: the disk fails.
    """
    if (imported.objective.name, imported.objective.goal) != (spec.objective.name, spec.objective.goal):
        raise UsageError(
            f"the trials were ranked by {imported.objective.name} ({imported.objective.goal}), "
            f"but the space file ranks by {spec.objective.name} ({spec.objective.goal})",
            hint="Name the metric that is meant with `--metric`",
        )
    fitting = _numbered([_with_constants(one, spec.space) for one in imported.results if fits(spec.space, one.params)])
    if not fitting:
        raise UsageError(
            f"none of the {len(imported.results)} trials has the parameters of the space",
            hint="Compare the names and ranges: `sweep import` without `--space` shows the trials",
        )
    _check_new(folder)
    with SweepLock(folder), open_study(folder, spec, fingerprint) as study:
        study.add_many(fitting)
    return len(fitting)


def fits(space: SearchSpace, params: Params) -> bool:
    """Whether the values are those of a trial of the space; constants may be missing, but must not differ."""
    known = {**space.constants, **params}
    active = [parameter for parameter in space.parameters if parameter.active(known)]
    names = {parameter.name for parameter in active} | set(space.constants)
    return (
        set(params) <= names
        and all(known[name] == value for name, value in space.constants.items())
        and all(one.name in params and one.distribution.contains(params[one.name]) for one in active)
    )


def _with_constants(result: Result, space: SearchSpace) -> Result:
    return replace(result, suggestion=replace(result.suggestion, params={**space.constants, **result.params}))


def _numbered(results: Sequence[Result]) -> list[Result]:
    return [
        replace(one, suggestion=replace(one.suggestion, number=number, continues=None))
        for number, one in enumerate(results)
    ]


def _check_new(folder: SweepFolder) -> None:
    if folder.exists():
        raise UsageError(f"there is a sweep {folder.name!r} already", hint="Give another name with `--name`")
