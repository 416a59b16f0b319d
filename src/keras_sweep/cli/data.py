"""Define commands on data: `sweep init`, `sweep data`, `sweep baseline` and `sweep import`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import keras_sweep as ks
from keras_sweep.cli.options import Format, NewName, Sets, Space, SweepsDir, answer, at_work, note, option
from keras_sweep.space.text import escape, pluralize
from keras_sweep.views.terminal.console import print_answer, stdout_console


def init(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="A CSV, Parquet or npz file, or a folder of pictures.")
    ] = None,
    example: Annotated[str | None, option("--example", "NAME", "A known data set in place of SOURCE: digits.")] = None,
    target: Annotated[str | None, option("--target", "COLUMN", "The column to predict.", show_default="guess")] = None,
    wandb: Annotated[Path | None, option("--wandb", "FILE", "Use the search of this W&B sweep file.")] = None,
    output: Annotated[Path | None, option("--output -o", "FILE", "The space file.", show_default="SOURCE.yaml")] = None,
) -> None:
    """Write a space file for your data. It runs as it is, and its comments explain each line."""
    with at_work() as events:
        path = ks.init(source, example=example, target=target, wandb=wandb, path=output, listener=events)
    print_answer(f"{path}\n")


def data(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A data set's name, a space file or a sweep's name.")],
    picture: Annotated[Path | None, option("--picture", "FILE", "Write a picture of samples to this PNG file.")] = None,
    save: Annotated[
        Path | None, option("--save", "FILE", "Write the training and validation rows to this .npz file.")
    ] = None,
    set: Sets = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Show what is in a data set: shapes, class counts, column statistics, a picture of samples."""
    from keras_sweep.views.data_view import print_data

    with at_work() as events:
        rows = ks.load_data(source, set=set, picture=picture, save=save, sweeps_dir=sweeps_dir, listener=events)
    print_data(stdout_console(), rows)
    if picture is not None:
        print_answer(f"{picture}\n")
    if save is not None:
        print_answer(f"{save}\n")
        note("the file has the training and validation rows in the form that an exported model takes, and no test rows")


def baseline(
    space: Space, name: NewName = None, format: Format = "table", set: Sets = None, sweeps_dir: SweepsDir = None
) -> None:
    """Fit scikit-learn's linear model on the sweep's rows. The sweep's leaderboard shows the score as a reference."""
    from keras_sweep.views.data_view import print_baseline
    from keras_sweep.views.leaderboard.formats import strict_json

    with at_work() as events:
        fitted = ks.baseline(space, name=name, set=set, sweeps_dir=sweeps_dir, listener=events)
    answer(lambda console: print_baseline(console, fitted), strict_json(asdict(fitted)) + "\n", format)


def import_search(
    storage: Annotated[str, typer.Argument(metavar="STORAGE", help="An Optuna SQLite or journal file, or a URL.")],
    name: Annotated[str | None, option("--name", "NAME", "The new sweep.", show_default="the study's name")] = None,
    space: Annotated[
        Path | None, option("--space", "SPACE", "A space file: `sweep run SPACE` continues from these trials.")
    ] = None,
    study: Annotated[str | None, option("--study", "NAME", "The study, if the storage has several.")] = None,
    metric: Annotated[str | None, option("--metric", "NAME", "The metric, if the storage does not name it.")] = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Import the trials of an Optuna storage into a new sweep. The storage never changes."""
    from keras_sweep.api.events import SweepImported

    with at_work() as events:
        sweep = ks.import_optuna(
            storage, name=name, space=space, study=study, metric=metric, sweeps_dir=sweeps_dir, listener=events
        )
    done = events.last[SweepImported]
    stdout_console().print(f"{sweep.name}: {pluralize(done.trials, 'trial')} from {escape(done.source)}")
