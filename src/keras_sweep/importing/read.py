"""Reads a search that another program ran, a KerasTuner project or an Optuna storage, as results of a sweep."""

from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.importing.imported import Imported


def read_trials(source: str, *, study: str | None = None, metric: str | None = None) -> Imported:
    """The finished trials of a KerasTuner project folder, or of an Optuna database, journal file or storage URL.

    `study` is one of several in an Optuna storage, `metric` ranks where the source does not say which does. Nothing is
    written. Raises UsageError: there is no such source, or it can't be read; MissingPackage: a database's driver.
    """
    path = Path(source).expanduser()
    if "://" in source or path.is_file():
        from keras_sweep.importing.optuna_storage import read_optuna

        return read_optuna(source, study=study, metric=metric)
    if path.is_dir():
        from keras_sweep.importing.keras_tuner_project import read_keras_tuner_project

        return read_keras_tuner_project(path, metric=metric)
    raise UsageError(
        f"there is no file or folder {path}",
        hint="`sweep import` reads a KerasTuner project folder, an Optuna SQLite or journal file, or an Optuna storage "
        "URL",
    )
