"""Reads a search that another program ran, a KerasTuner project or an Optuna storage, as results of a sweep."""

from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.importing.imported import Imported


def read_trials(source: str, *, study: str | None = None, metric: str | None = None) -> Imported:
    """The finished trials of another program's search. Nothing is written, not even there.

    Args:
        source: a KerasTuner project folder (it holds `oracle.json`), an Optuna database or journal file, or the URL of
            an Optuna storage ("postgresql://...").
        study: which one, where an Optuna storage holds several.
        metric: which one ranks: of a KerasTuner project, which does not say, and where Optuna has a value without name.

    Raises UsageError: there is no such source, or it can't be read as one; MissingPackage: a database's driver.
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
