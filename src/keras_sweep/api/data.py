"""What is done with the rows of a sweep but to search: they are shown and saved, scored by a baseline, imported for."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_sweep.api.edge import cut_traceback, warn_of_notices
from keras_sweep.api.events import SweepImported
from keras_sweep.api.run import Changes, Space, spec_of
from keras_sweep.api.sweep import Sweep
from keras_sweep.data.catalog import load_search_data, named_set, of_trial
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.raw_rows import save_picture, save_rows
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import DATA_NAMES, unknown_name
from keras_sweep.errors import DataError, UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.process.given import is_given
from keras_sweep.record.facts import Baseline
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import all_sweeps, sweep_folder
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import listed
from keras_sweep.space.variants import variant_of
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import winner

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
    """The rows of training and validation of a data set, a space file or a sweep, as the search has them.

    Args:
        source: a data set's name, a space file, or a sweep's name.
        set: changes of the space file, as of `run`.
        picture: a PNG file to write, with a picture of samples.
        save: an .npz file to write, with the rows as an exported model takes them; no test row is among them.
        sweeps_dir: where sweeps live; by default SWEEPS_DIR, or ./sweeps.
        listener: hears what is to be known of the rows, as notices; by default they are warnings.

    Raises:
        UsageError: there is no such source, or a file has no place to be in.
        DataError: the rows can't be read, or are no pictures.
    """
    for option, place, suffix in (("--picture", picture, ".png"), ("--save", save, ".npz")):
        path = Path(place or "")
        if place is not None and (path.suffix != suffix or path.is_dir() or not path.parent.is_dir()):
            raise UsageError(f"`{option}` takes a {suffix} file in a folder that is there, but got {path}")

    def note(text: str) -> None:
        listener(Noticed(text))

    spec, fingerprint, params = _spec_of(os.fspath(source), set, sweeps_dir, listener)
    data = _rows_of(spec)
    if picture is not None and data.image_shape is None:
        raise DataError(f"{data.name} has no pictures", hint="Leave out `--picture`")
    if fingerprint not in (None, data.fingerprint):
        note(f"these rows are not those that the sweep {source!r} was begun with")
    if data.variants:
        which = dict(variant_of(params) or next(iter(data.variants)))
        if save is not None and not params:
            first = "Add" if fingerprint is None else "No trial has won yet: give the space file with"
            hint = f"{first} `{_as_options(which)}`, say"
            raise UsageError(f"trials of this space have different rows, by {listed(which)}", hint=hint)
        note(f"these rows are those with {', '.join(f'{name}={json.dumps(value)}' for name, value in which.items())}")
        spec, data = of_trial(spec, data, which)
    if picture is not None:
        from keras_sweep.views.data_view import PNG_SCALE, picture_grid, png_bytes

        save_picture(Path(picture), png_bytes(picture_grid(data), PNG_SCALE))
    if save is not None:
        save_rows(Path(save), spec, data)
    return data


def _as_options(params: Params) -> str:
    """What sets these values on a shell's line; a list is set as a `value`, since alone it would be choices."""
    plain = {name: {"value": value} if isinstance(value, tuple) else value for name, value in params.items()}
    return " ".join(f"--set {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in plain.items())


def _rows_of(spec: SweepSpec) -> SearchData:
    choose_backend(None)  # what reads them may import Keras
    return load_search_data(spec)


def _spec_of(
    source: str, changes: Changes | None, sweeps_dir: PathLike | None, listener: Listener
) -> tuple[SweepSpec, str | None, Mapping[str, Any]]:
    """(spec, of a sweep the recorded fingerprint of the rows, and the values of its winner). Raises UsageError."""
    from keras_sweep.sweep.recorded import unfollowed_spec

    if Path(source).suffix in (".yaml", ".yml") or Path(source).is_file():
        return spec_of(source, changes=changes), None, {}
    if changes:
        raise UsageError("`--set` changes a space file, and none is given", hint="Name the space file")
    sweeps = {folder.name: folder for folder in all_sweeps(sweeps_dir)}
    if source not in sweeps:
        if source not in DATA_NAMES:
            raise unknown_name(source, list(sweeps))
        return named_set(source), None, {}
    if source in DATA_NAMES:
        listener(Noticed(f"{source!r} is a data set too: these are the rows of the sweep"))
    with StudyFile.open(sweeps[source]) as study:
        spec = unfollowed_spec(study.facts, study.name, study.folder)
        fingerprint, best = study.facts.fingerprint, winner(study.ranked_results(), spec.objective)
    if is_given(spec.data.source):
        raise UsageError(
            f"the rows of the sweep {source!r} come from a Python program, and its record has only their digest",
            hint=f"In that program `sweep = ks.run(spec, name={source!r})`: `sweep.validation()` has the rows",
        )
    kind = find_source(spec.data.kind)
    where = f"`python: {spec.data.source}`" if kind.names == "function" else kind.server(spec.data)
    if where is not None:
        raise UsageError(
            f"the rows of the sweep {source!r} come from {where}, and a record alone runs no code",
            hint="Give the space file, as in `sweep data SPACE.yaml`",
        )
    return spec, fingerprint, {} if best is None else best.params


@cut_traceback
def baseline(
    space: Space,
    *,
    name: str | None = None,
    set: Changes | None = None,
    sweeps_dir: PathLike | None = None,
    listener: Listener = warn_of_notices,
) -> Baseline:
    """Fit scikit-learn's linear model on the same rows, and put it in the sweep's leaderboard as a reference.

    Args:
        space: a space file's path, or a `Spec`.
        name: the sweep's name; by default the file's stem.
        set: changes of the space, as of `run`.
        sweeps_dir: where sweeps live; by default SWEEPS_DIR, or ./sweeps.
        listener: hears that the sweep was run on other data; by default as a warning.

    Raises:
        UsageError: the space is wrong.
        DataError: the rows can't be read, or no linear model takes them.
        SweepBusy: another process runs the sweep.
    """
    from keras_sweep.sweep.baseline import fit_baseline

    spec = spec_of(space, name=name, changes=set)
    data = _rows_of(spec)
    check_task(spec, data)
    fitted = fit_baseline(spec, data)
    folder = sweep_folder(spec.name, sweeps_dir)
    if folder.exists():
        with SweepLock(folder), StudyFile.open(folder) as study:
            if study.facts.fingerprint == data.fingerprint:
                study.set_attributes({"baseline": asdict(fitted)})
            else:
                listener(Noticed(f"not put into the sweep {spec.name!r}: it was run on other data"))
    return fitted


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
    """Read the trials of an Optuna storage into a new sweep; a file is never written to.

    Args:
        storage: an Optuna SQLite or journal file, or a URL.
        name: the new sweep's; by default the study's.
        space: a space file's path, or a `Spec`: a run of it then goes on from these trials.
        study: which study of the storage.
        metric: what ranks, where the source does not say.
        sweeps_dir: where sweeps live; by default SWEEPS_DIR, or ./sweeps.
        listener: hears which trials are left out, as notices; by default they are warnings.

    Raises:
        UsageError: the storage can't be read, a sweep of that name is there, or no trial fits the space.
    """
    from keras_sweep.importing.optuna_storage import fit_to_space, read_trials, write_sweep

    spec, fingerprint = spec_of(space, name=name) if space is not None else None, ""
    imported = read_trials(os.fspath(storage), study=study, metric=metric)
    folder = sweep_folder(spec.name if spec is not None else name or imported.name, sweeps_dir)
    if spec is not None:
        imported, fingerprint = fit_to_space(imported, spec), _rows_of(spec).fingerprint
    write_sweep(imported, folder, spec, fingerprint)
    for text in imported.notes:
        listener(Noticed(text))
    listener(SweepImported(len(imported.results), imported.source))
    return Sweep(folder, spec=spec)
