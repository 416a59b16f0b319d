"""Load rows, fit a linear model, and import trials of Optuna. Arguments that are not explained are as in `run`."""

import os
from dataclasses import asdict
from pathlib import Path

from keras_sweep.api.edge import cut_traceback, warn_of_notices
from keras_sweep.api.events import SweepImported
from keras_sweep.api.run import Changes, Space, read_spec
from keras_sweep.api.sweep import Sweep
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.raw_rows import save_rows
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import DataError, UsageError
from keras_sweep.files.atomic import write_bytes
from keras_sweep.record.facts import Baseline
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import sweep_folder
from keras_sweep.sweep.named_data import load_rows, load_source
from keras_sweep.trial.events import Listener, Noticed

PathLike = str | os.PathLike[str]


@cut_traceback
def load_data(
    source: PathLike,
    *,
    set: Changes | None = None,
    picture: PathLike | None = None,
    save: PathLike | None = None,
    sweeps_dir: PathLike | None = None,
    listener: Listener = warn_of_notices,
) -> SearchData:
    """Load the rows that a search uses: `.train` and `.validation`, each with `.x` [N, ...], `.y` and `.weights`.

    Args:
        source: a data set's name ("digits"), the path of a space file, or a sweep's name.
        set: changes of the space file, as in `run`; `sweeps_dir` and `listener` are as in `run`, too.
        picture: if the rows are pictures, draw samples of them into this PNG file.
        save: write the training and validation rows to this .npz file, in the form that an exported model accepts.

    Raises:
        UsageError: the source does not exist, its rows can't be read or are no pictures, or a file can't be written.
    """
    for option, place, suffix in (("--picture", picture, ".png"), ("--save", save, ".npz")):
        path = Path(place or "")
        if place is not None and (path.suffix != suffix or path.is_dir() or not path.parent.is_dir()):
            raise UsageError(f"`{option}` must be a {suffix} file in an existing folder, but got {path}")
    path, spec = Path(source), None
    if path.suffix in (".yaml", ".yml") or path.is_file():
        spec = read_spec(source, changes=set)
    elif set:
        raise UsageError(f"`--set` needs a space file, but got {source}")
    spec, data = load_source(os.fspath(source), spec, sweeps_dir, listener, needs_one=save is not None)
    if picture is not None:
        if data.image_shape is None:
            raise DataError(f"{data.name} has no pictures", hint="Leave out `--picture`")
        from keras_sweep.views.data_view import PNG_SCALE, picture_grid, png_bytes

        write_bytes(Path(picture), png_bytes(picture_grid(data), PNG_SCALE), option="--picture")
    if save is not None:
        save_rows(Path(save), spec, data)
    return data


@cut_traceback
def baseline(
    space: Space,
    *,
    name: str | None = None,
    set: Changes | None = None,
    sweeps_dir: PathLike | None = None,
    listener: Listener = warn_of_notices,
) -> Baseline:
    """Fit scikit-learn's linear model on the rows of a sweep, as a reference for its trials.

    If the sweep `name` exists and has the same rows, its leaderboard then shows the linear model. In the result,
    `.mean_score` is the cross-validated accuracy, or R2 for numbers. `.validation` maps Keras's metrics to scores on
    the validation rows. Arguments are as in `run`.

    Raises:
        UsageError: the space or its rows are wrong, or a linear model can't use these rows.
        SweepBusy: another process runs the sweep.
    """
    from keras_sweep.sweep.named_data import fit_baseline

    spec = read_spec(space, name=name, changes=set)
    data = load_rows(spec)
    check_task(spec, data)
    linear_model = fit_baseline(spec, data)
    folder = sweep_folder(spec.name, sweeps_dir)
    if folder.exists():
        with SweepLock(folder), StudyFile.open(folder) as study:
            if study.facts.fingerprint == data.fingerprint:
                study.set_attributes({"baseline": asdict(linear_model)})
            else:
                listener(Noticed(f"sweep {spec.name!r} has other data: its leaderboard does not show this model"))
    return linear_model


@cut_traceback
def import_optuna(
    storage: PathLike,
    *,
    name: str | None = None,
    space: Space | None = None,
    study: str | None = None,
    metric: str | None = None,
    sweeps_dir: PathLike | None = None,
    listener: Listener = warn_of_notices,
) -> Sweep:
    """Import the trials of an Optuna storage into a new sweep. The storage's file never changes.

    Args:
        storage: an Optuna SQLite or journal file, or the URL of Optuna's database.
        name: the new sweep's name; by default the study's name. `sweeps_dir` and `listener` are as in `run`.
        space: a space file's path, or a `Spec`: only trials that fit are imported. `run` with it resumes the sweep.
        study: the study's name, if the storage has several.
        metric: the name of the metric that the study optimizes, if the storage does not have it.

    Raises:
        UsageError: the storage can't be read, the sweep exists, no trial fits the space, or the metrics differ.
    """
    from keras_sweep.sweep.optuna_storage import fit_to_space, read_trials, write_sweep

    spec, fingerprint = read_spec(space, name=name) if space is not None else None, ""
    imported = read_trials(os.fspath(storage), study=study, metric=metric)
    folder = sweep_folder(spec.name if spec is not None else name or imported.name, sweeps_dir)
    if spec is not None:
        imported, fingerprint = fit_to_space(imported, spec), load_rows(spec).fingerprint
    write_sweep(imported, folder, spec, fingerprint)
    for text in imported.notes:
        listener(Noticed(text))
    listener(SweepImported(len(imported.results), imported.source))
    return Sweep(folder, spec=spec)
