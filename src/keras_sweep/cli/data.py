"""Commands on data: `sweep init`, `sweep data`, `sweep baseline`, `sweep import`."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keras_sweep.cli.options import Format, NewName, Sets, Space, SweepsDir, answer, at_work, note, option
from keras_sweep.errors import DataError, UsageError
from keras_sweep.record.sweep_folder import all_sweeps, sweep_folder
from keras_sweep.space.text import counted, escaped, listed
from keras_sweep.views.terminal.console import stdout_console

if TYPE_CHECKING:
    from keras_sweep.data.search_data import SearchData
    from keras_sweep.space.search_space import Params
    from keras_sweep.space.sweep_spec import SweepSpec


def init(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="A CSV, Parquet or npz file, or a folder.")
    ] = None,
    example: Annotated[str | None, option("--example", "NAME", "A known data set in place of SOURCE: digits.")] = None,
    target: Annotated[str | None, option("--target", "COLUMN", "What to predict.", show_default="the last")] = None,
    wandb: Annotated[Path | None, option("--wandb", "FILE", "Take over the search of a W&B sweep file.")] = None,
    output: Annotated[Path | None, option("--output -o", "FILE", "The file.", show_default="SOURCE.yaml")] = None,
) -> None:
    """Write a space file for your data, which runs as it is: its comments say what each line means."""
    from keras_sweep.data.source import DATA_NAMES, unknown_name
    from keras_sweep.process.backend import choose_backend
    from keras_sweep.sweep.init import write_space_file

    if (source is None) == (example is None):
        raise UsageError("one of SOURCE and `--example` is needed", hint="For example `sweep init --example digits`")
    if example is not None and example not in DATA_NAMES:
        raise unknown_name(example)
    source = source or example or ""
    path = output or Path(re.sub(r"[^\w.-]+", "_", Path(source).stem, flags=re.ASCII) + ".yaml")
    notes: list[str] = []
    try:
        if Path(source).is_dir():  # whose pictures Keras reads
            choose_backend(None)
        with at_work():
            write_space_file(source, path, notes, target=target, wandb=wandb)
    finally:  # an error may come of what was guessed
        for text in notes:
            note(text)
    typer.echo(str(path))


def data(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A data set's name, a space file or a sweep's name.")],
    picture: Annotated[Path | None, option("--picture", "FILE", "Write a picture of samples to this PNG file.")] = None,
    save: Annotated[
        Path | None, option("--save", "FILE", "Write the rows of training and validation to this .npz file.")
    ] = None,
    sets: Sets = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """What is in a data set: shapes, class counts, column statistics, a picture of samples."""
    from keras_sweep.data.catalog import of_trial
    from keras_sweep.data.raw_rows import save_picture, save_rows
    from keras_sweep.space.variants import variant_of
    from keras_sweep.views.data_view import PNG_SCALE, picture_grid, png_bytes, print_data

    for flag, path, suffix in (("--picture", picture, ".png"), ("--save", save, ".npz")):
        if path is not None and (path.suffix != suffix or path.is_dir() or not path.parent.is_dir()):
            raise UsageError(f"`{flag}` takes a {suffix} file in a folder that is there, but got {path}")
    spec, fingerprint, params = _spec_of(source, sets or (), sweeps_dir)
    found = _rows_of(spec)
    if picture is not None and found.image_shape is None:
        raise DataError(f"{found.name} has no pictures", hint="Leave out `--picture`")
    if fingerprint not in (None, found.fingerprint):
        note(f"these rows are not those that the sweep {source!r} was begun with")
    if found.variants:
        which = dict(variant_of(params) or next(iter(found.variants)))
        if save is not None and not params:
            first = "Add" if fingerprint is None else "No trial has won yet: give the space file with"
            hint = f"{first} `{_as_options(which)}`, say"
            raise UsageError(f"trials of this space have different rows, by {listed(which)}", hint=hint)
        note(f"these rows are those with {', '.join(f'{name}={json.dumps(value)}' for name, value in which.items())}")
        spec, found = of_trial(spec, found, which)
    print_data(stdout_console(), found)
    if picture is not None:
        save_picture(picture, png_bytes(picture_grid(found), PNG_SCALE))
        typer.echo(str(picture))
    if save is not None:
        save_rows(save, spec, found)
        typer.echo(str(save))
        note("these rows of training and validation are as an exported model takes them; no test row is among them")


def baseline(
    space: Space, name: NewName = None, format: Format = "table", sets: Sets = None, sweeps_dir: SweepsDir = None
) -> None:
    """Fit scikit-learn's linear model on the same rows, and put it in the sweep's leaderboard as a reference."""
    from keras_sweep.data.compatibility import check_task
    from keras_sweep.record.lock import SweepLock
    from keras_sweep.record.study_file import StudyFile
    from keras_sweep.space_file.read import read_space_file
    from keras_sweep.sweep.baseline import fit_baseline
    from keras_sweep.views.data_view import print_baseline
    from keras_sweep.views.leaderboard.formats import strict_json

    spec = read_space_file(space, sets=sets or (), name=name)
    found = _rows_of(spec)
    check_task(spec, found)
    fitted = fit_baseline(spec, found)
    record = asdict(fitted)
    folder = sweep_folder(spec.name, sweeps_dir)
    if folder.exists():
        with SweepLock(folder), StudyFile.open(folder) as study:
            if study.facts.fingerprint == found.fingerprint:
                study.set_attributes({"baseline": record})
            else:
                note(f"not put into the sweep {spec.name!r}: it was run on other data")
    answer(lambda console: print_baseline(console, fitted), strict_json(record) + "\n", format)


def import_search(
    storage: Annotated[str, typer.Argument(metavar="STORAGE", help="An Optuna SQLite or journal file, or a URL.")],
    name: Annotated[str | None, option("--name", "NAME", "The new sweep.", show_default="the study's name")] = None,
    space: Annotated[
        Path | None, option("--space", "SPACE", "A space file: `sweep run` of it then goes on from these trials.")
    ] = None,
    study: Annotated[str | None, option("--study", "NAME", "Which study of an Optuna storage.")] = None,
    metric: Annotated[str | None, option("--metric", "NAME", "What ranks, where the source does not say.")] = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Read the trials of an Optuna storage into a sweep; a file is never written to."""
    from keras_sweep.importing.optuna_storage import fit_to_space, read_trials, write_sweep
    from keras_sweep.space_file.read import read_space_file

    spec, fingerprint = read_space_file(space, name=name) if space is not None else None, ""
    imported = read_trials(storage, study=study, metric=metric)
    folder = sweep_folder(spec.name if spec is not None else name or imported.name, sweeps_dir)
    if spec is not None:
        imported, fingerprint = fit_to_space(imported, spec), _rows_of(spec).fingerprint
    write_sweep(imported, folder, spec, fingerprint)
    for text in imported.notes:
        note(text)
    stdout_console().print(f"{folder.name}: {counted(len(imported.results), 'trial')} from {escaped(imported.source)}")


def _as_options(params: Params) -> str:
    """What sets these values on a shell's line; a list is set as a `value`, since alone it would be choices."""
    plain = {name: {"value": value} if isinstance(value, tuple) else value for name, value in params.items()}
    return " ".join(f"--set {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in plain.items())


def _rows_of(spec: SweepSpec) -> SearchData:
    """The rows of a spec. What reads them may import Keras, or what writes log lines: those are not shown."""
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.process.backend import choose_backend

    choose_backend(None)
    with at_work():
        return load_search_data(spec)


def _spec_of(
    source: str, sets: list[str] | tuple[str, ...], sweeps_dir: Path | None
) -> tuple[SweepSpec, str | None, Params]:
    """(spec, of a sweep the recorded fingerprint of the rows, and the values of its winner). Raises UsageError."""
    from keras_sweep.data.catalog import named_set
    from keras_sweep.data.source import DATA_NAMES, unknown_name
    from keras_sweep.process.given import is_given
    from keras_sweep.record.study_file import StudyFile
    from keras_sweep.space.data_spec import find_source
    from keras_sweep.space_file.read import read_space_file
    from keras_sweep.sweep.trust import unfollowed_spec
    from keras_sweep.trial.ranking import winner

    if Path(source).suffix in (".yaml", ".yml") or Path(source).is_file():
        return read_space_file(source, sets=sets), None, {}
    if sets:
        raise UsageError("`--set` changes a space file, and none is given", hint="Name the space file")
    sweeps = {folder.name: folder for folder in all_sweeps(sweeps_dir)}
    if source not in sweeps:
        if source not in DATA_NAMES:
            raise unknown_name(source, list(sweeps))
        return named_set(source), None, {}
    if source in DATA_NAMES:
        note(f"{source!r} is a data set too: these are the rows of the sweep")
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
