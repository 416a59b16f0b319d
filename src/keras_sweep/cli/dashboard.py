"""`sweep dashboard`."""

from __future__ import annotations

import contextlib
import signal
from typing import Annotated

import typer

from keras_sweep.cli.options import Name, SweepsDir, found, whole


def dashboard(
    name: Name = None,
    port: Annotated[
        int, typer.Option("--port", parser=whole, metavar="N", help="Where it listens; 0 is any free port.")
    ] = 8080,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Show the record in optuna-dashboard until Ctrl-C: on this machine alone, and without writing to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = found(name, sweeps_dir)
    from keras_sweep.sweep.dashboard import dashboard_server

    with contextlib.suppress(KeyboardInterrupt), dashboard_server(folder, port) as server:
        typer.echo(server.address)
        server.serve_forever()
