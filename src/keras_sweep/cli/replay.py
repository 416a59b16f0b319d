"""`sweep replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.model import Trust
from keras_sweep.cli.options import Backend, Name, SweepsDir, found, one_of, whole
from keras_sweep.errors import UsageError


def replay(
    name: Name = None,
    trial: Annotated[
        int | None,
        typer.Argument(parser=whole, metavar="TRIAL", help="The trial's number.", show_default="the winner"),
    ] = None,
    runner: Annotated[
        str | None,
        typer.Option("--runner", metavar="NAME", help="compiled (lanes, on jax) or fit.", show_default="fit"),
    ] = None,
    script: Annotated[
        bool, typer.Option("--script", help="Train nothing; print a script of plain Keras that trains the trial.")
    ] = False,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", metavar="FILE", help="Write the rows that the script reads there, as .npz."),
    ] = None,
    trust: Trust = False,
    backend: Backend = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")] = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Train one trial again by plain `model.fit`, and say whether its numbers are those of the record (exit code 0)."""
    from keras_sweep.training.choose import RUNNERS

    one_of("--format", format, ("table", "json"))
    one_of("--runner", runner, RUNNERS)
    if rows is not None and not script:
        raise UsageError("`--rows` is for the script", hint="Give `--script` too")
    folder = found(name, sweeps_dir)
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.process.streams import answer_stream
    from keras_sweep.sweep.replay import replay as replayed
    from keras_sweep.views.replay_view import ReplayView, replay_json
    from keras_sweep.views.running.progress import progress_view, status_view
    from keras_sweep.views.terminal.console import stdout_console

    if script:
        from keras_sweep.sweep.keras_script import trial_script

        with answer_stream(), LibraryNoise():
            text = trial_script(folder, trial, progress_view("quiet"), rows=rows, trust=trust, backend=backend)
        typer.echo(text, nl=False)
        return
    with answer_stream(), LibraryNoise(), status_view() as view:
        done = replayed(folder, trial, view, runner=runner, trust=trust, backend=backend)
    if format == "json":
        typer.echo(replay_json(done), nl=False)
    else:
        stdout_console().print(ReplayView(done))
    raise typer.Exit(0 if done.matches else 1)
