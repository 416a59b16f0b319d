"""Define commands on recorded sweeps: read records (without Keras and Optuna), use their models, publish them."""

import contextlib
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import keras_sweep as ks
from keras_sweep.cli import options as opt
from keras_sweep.errors import UsageError
from keras_sweep.space.text import escape
from keras_sweep.views.terminal.console import print_answer, stderr_console, stdout_console
from keras_sweep.views.terminal.text import waiting_text


def list_sweeps(format: opt.Format = "table", sweeps_dir: opt.SweepsDir = None) -> None:
    """List the sweeps, newest first."""
    from keras_sweep.views.leaderboard.formats import json_list
    from keras_sweep.views.sweep_list import print_sweeps

    rows = [sweep.status for sweep in ks.sweeps(sweeps_dir)]
    for row in rows:
        if row.waiting:
            opt.note(f"{row.name}: {waiting_text(row.waiting)}")
    opt.answer(lambda console: print_sweeps(console, rows, time.time()), json_list(map(asdict, rows)), format)


def leaderboard(
    name: opt.Name = None,
    top: Annotated[
        int | None, opt.number("--top", "Show only the first N rows.", show_default="all; 1,000 in a table")
    ] = None,
    sort: Annotated[
        str | None,
        opt.option("--sort", "COLUMN", "Sort by a column, parameter or metric; -COLUMN reverses.", show_default="rank"),
    ] = None,
    where: Annotated[
        list[str] | None,
        opt.option("--where", "CONDITION", "Show only these trials: 'optimizer=adam', 'epochs>=5' (repeatable)."),
    ] = None,
    format: Annotated[
        str, opt.choice("--format", "The format: table, json, csv or markdown.", ("table", "json", "csv", "markdown"))
    ] = "table",
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Show the ranked trials of a sweep."""
    from keras_sweep.views.leaderboard.table import MOST_SHOWN, print_leaderboard, refit_line

    board = ks.open(name, sweeps_dir=sweeps_dir).leaderboard(top, where=where or (), sort=sort)
    for text in board.notices:
        opt.note(text)
    if format == "table":
        print_leaderboard(stdout_console(), board, board.sweep.facts.baseline, most=top or MOST_SHOWN)
        if (refit := board.sweep.refit) is not None:
            stdout_console().print(refit_line(refit))
    else:
        texts = {"json": board.to_json, "csv": board.to_csv, "markdown": board.to_markdown}
        print_answer(texts[format]())


def show(
    name: opt.Name = None, trial: opt.TrialNumber = None, format: opt.Format = "table", sweeps_dir: opt.SweepsDir = None
) -> None:
    """Show a trial: its parameters, its curve, its time, and why it ended."""
    from keras_sweep.views.trial_view import print_trial, trial_json

    shown = ks.open(name, sweeps_dir=sweeps_dir).show(trial)
    text = trial_json(shown.sweep, shown.result)
    opt.answer(lambda console: print_trial(console, shown.sweep, shown.result), text, format)


def evaluate(
    name: opt.Name = None,
    trust: opt.Trust = False,
    backend: opt.Backend = None,
    format: opt.Format = "table",
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Evaluate the winner on the sealed test set. The record counts every evaluation."""
    from keras_sweep.api.events import TestEvaluated
    from keras_sweep.views.leaderboard.formats import strict_json
    from keras_sweep.views.running.json_lines import event_record
    from keras_sweep.views.summary import look_lines

    with opt.at_work() as events:
        sweep = ks.open(name, trust=trust, sweeps_dir=sweeps_dir, listener=events)
        sweep.evaluate(backend=backend)
    look = events.last[TestEvaluated]
    record = event_record(look, sweep.objective)
    opt.answer(lambda console: console.print(*look_lines(look), sep="\n"), strict_json(record) + "\n", format)


def export(
    name: opt.Name = None,
    trial: Annotated[int | None, opt.number("--trial", "The trial's number.", show_default="the winner")] = None,
    format: Annotated[str, opt.choice("--format", "The format: keras, onnx, savedmodel, litert.", "format")] = "keras",
    output: Annotated[Path | None, opt.option("--output -o", "FILE", "Model file.", show_default="NAME.keras")] = None,
    quantize: Annotated[str | None, opt.option("--quantize", "TYPE", "int8: 8-bit weights, for litert.")] = None,
    card: Annotated[Path | None, opt.option("--card", "FILE", "Also write the card as Markdown: README.md.")] = None,
    trust: opt.Trust = False,
    backend: opt.Backend = None,
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Write a trial's model with its model card. A trial whose weights were not kept is trained again."""
    from keras_sweep.api.events import ModelExported

    with opt.at_work() as events:
        sweep = ks.open(name, trust=trust, sweeps_dir=sweeps_dir, listener=events)
        path = sweep.export(output, trial, format=format, quantize=quantize, card=card, backend=backend)
    print_answer(f"{path}\n")
    exported = events.last[ModelExported]
    stderr_console().print(f"{exported.trial} of {sweep.name}; model card: {escape(str(exported.card))}")
    if (about := exported.about) is not None:
        words = f"its outputs on {about['rows']:,} validation rows match the .keras file: they differ by at most"
        stderr_console().print(f"{words} {about['greatest_difference']:.1e}")
        if (scores := about.get("quantized")) is not None:
            values = f"{scores['float32']:.4f} with 32-bit weights, {scores['int8']:.4f} with 8-bit weights"
            stderr_console().print(f"{scores['metric']} on these rows: {values}")


def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .keras file; its model card is beside it.")],
    test: Annotated[bool, opt.flag("--test", "Also evaluate on the sealed test rows; the record counts it.")] = False,
    data_dir: Annotated[
        Path | None,
        opt.option(
            "--data-dir", "PATH", "The folder of the data file.", show_default="the space file's, or this folder"
        ),
    ] = None,
    trust: Annotated[
        bool, opt.flag("--trust", "Import and run the Python code that the card and the model file name.")
    ] = False,
    backend: opt.Backend = None,
    format: opt.Format = "table",
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Open an exported model in safe mode, and compare its scores with its card. The exit code is 0 if they match."""
    from keras_sweep.views.replay_view import print_verification, verify_json

    with opt.at_work() as events:
        done = ks.verify(
            model, test=test, trust=trust, backend=backend, data_dir=data_dir, sweeps_dir=sweeps_dir, listener=events
        )
    opt.answer(lambda console: print_verification(console, done), verify_json(done), format)
    raise typer.Exit(0 if done.matches else 1)


def replay(
    name: opt.Name = None,
    trial: opt.TrialNumber = None,
    runner: opt.Runner = None,
    script: Annotated[bool, opt.flag("--script", "Only print a plain Keras script that trains the trial.")] = False,
    rows: Annotated[Path | None, opt.option("--rows", "FILE", "Write the script's rows to this .npz file.")] = None,
    workers: opt.Workers = None,
    trust: opt.Trust = False,
    backend: opt.Backend = None,
    format: opt.Format = "table",
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Train a trial again by plain `model.fit`, and compare it with the record. The exit code is 0 if they match."""
    if rows is not None and not script:
        raise UsageError("`--rows` needs `--script`")
    if script and (runner or workers):
        raise UsageError("`--script` trains nothing", hint="Leave out `--runner` and `--workers`")
    from keras_sweep.views.replay_view import print_replay, replay_json

    with opt.at_work() as events:
        sweep = ks.open(name, trust=trust, sweeps_dir=sweeps_dir, listener=events)
        if script:
            text = sweep.script(trial, rows=rows, backend=backend)
        else:
            done = sweep.replay(trial, runner=runner, backend=backend, workers=workers)
    if script:
        print_answer(text)
        return
    opt.answer(lambda console: print_replay(console, done), replay_json(done), format)
    raise typer.Exit(0 if done.matches else 1)


def report(
    name: opt.Name = None,
    output: Annotated[
        Path | None, opt.option("--output -o", "FOLDER", "The folder to write.", show_default="reports/NAME")
    ] = None,
    watch: Annotated[
        bool, opt.flag("--watch", "Write it again after each change until the sweep ends. An open page reloads itself.")
    ] = False,
    trust: opt.Trust = False,
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Write a sweep as a self-contained HTML page, with its leaderboard as Markdown and CSV."""
    with opt.at_work() as events:
        page = ks.open(name, trust=trust, sweeps_dir=sweeps_dir, listener=events).report(output, watch=watch)
    print_answer(f"{page}\n")


def log(
    to: Annotated[str, opt.choice("--to", "The tracker: mlflow, wandb or tensorboard.", "to", "TRACKER")],
    name: opt.Name = None,
    output: Annotated[
        Path | None, opt.option("--output -o", "FOLDER", "The folder of tensorboard's files.", show_default="runs")
    ] = None,
    follow: Annotated[bool, opt.flag("--follow", "Continue until the sweep has ended.")] = False,
    trust: opt.Trust = False,
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Log the trials to an experiment tracker. If you run it again, it logs only new trials."""
    from keras_sweep.api.events import Event, TrialsLogged

    def hear(event: Event) -> None:
        events(event)
        if isinstance(event, TrialsLogged):
            opt.note(event.text)

    with opt.at_work() as events:
        place = ks.open(name, trust=trust, sweeps_dir=sweeps_dir, listener=hear).log(to, output, follow=follow)
    print_answer(f"{place}\n")


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Two or more sweeps.", autocompletion=opt.complete_sweep_name)
    ],
    format: opt.Format = "table",
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Compare sweeps with the same metric and the same rows: do their winners differ?"""
    from keras_sweep.views.compare import compare_json, print_comparison

    sides = ks.compare(*names, sweeps_dir=sweeps_dir)
    opt.answer(lambda console: print_comparison(console, sides), compare_json(sides), format)


def dashboard(
    name: opt.Name = None,
    port: Annotated[int, opt.number("--port", "The server's port; 0 picks a free port.")] = 8080,
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Show a sweep in optuna-dashboard until Ctrl-C. Only this machine can open the page. The record never changes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sweep = ks.open(name, sweeps_dir=sweeps_dir)
    with contextlib.suppress(KeyboardInterrupt), sweep.dashboard(port) as server:
        print_answer(f"{server.address}\n")
        server.serve_forever()
