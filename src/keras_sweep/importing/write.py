"""Writes what another program searched into a new sweep, alone or as the beginning of a space file's sweep."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.importing.imported import Imported
from keras_sweep.importing.read import fitted
from keras_sweep.record import encoding
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import DataSpec, ModelSpec, SearchSettings, SweepSpec
from keras_sweep.sweep.open_record import open_study


def write_alone(imported: Imported, folder: SweepFolder) -> None:
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
        search=SearchSettings(engine=imported.engine, sampler=""),
    )
    _check_new(folder)
    _check_results(imported)
    with SweepLock(folder):
        attributes = {"imported": imported.source, "trials": len(imported.results), "engine": imported.engine}
        with StudyFile.create(folder, spec, attributes) as study:
            study.add_many(imported.results)


def write_into(imported: Imported, folder: SweepFolder, spec: SweepSpec, fingerprint: str) -> Imported:
    """The beginning of a space file's sweep, which `sweep run` then goes on with; returns the trials that fit it.

    Args:
        imported: trials; those whose parameters are not of the space are left out, and the notes say so.
        folder: of the new sweep.
        spec: the sweep.
        fingerprint: of its data.

    Raises:
        UsageError: there is a sweep of that name, the two have other metrics, or no trial fits the space.
        RecordError: the disk fails.
    """
    _check_new(folder)
    kept = fitted(imported, spec)
    _check_results(kept)
    with SweepLock(folder), open_study(folder, spec, fingerprint) as study:
        study.add_many(kept.results)
    return kept


def _check_results(imported: Imported) -> None:
    """What another program wrote may be no value of a sweep. Raises UsageError before anything is written."""
    for result in imported.results:
        try:
            texts = encoding.encode(result, 0)
            encoding.decode(result.number, result.state.value, result.value, texts)
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            message = f"trial {result.number} of {imported.source} can't be kept: {error}"
            raise UsageError(message, hint="Nothing was imported") from error


def _check_new(folder: SweepFolder) -> None:
    if folder.exists():
        raise UsageError(f"there is a sweep {folder.name!r} already", hint="Give another name with `--name`")
