"""Runs a sweep before the user's eyes: warnings, the live board, the summary; and into the sweep's log."""

from __future__ import annotations

import contextlib
import shlex
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TextIO

from keras_sweep.errors import Interrupted
from keras_sweep.process.library_output import LibraryNoise
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.run import RunOptions, run_sweep
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.trial.events import Event, SweepStarted, TestEvaluated
from keras_sweep.views.running.output_may_vanish import Sturdy
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.running.progress import progress_view
from keras_sweep.views.summary import print_summary, summary
from keras_sweep.views.terminal.console import answers, console_on, progress
from keras_sweep.views.terminal.messages import print_warning


def show_run(
    spec: SweepSpec, folder: SweepFolder, options: RunOptions, wall: WallTime, *, quiet: bool, json: bool
) -> None:
    """Run the sweep; progress goes to stderr, the summary (or with `json` every event) to stdout.

    Raises:
        Interrupted: a signal ended it.
        SweepError: as `run_sweep`.
    """
    for warning in spec.warnings:
        print_warning(progress(), warning)
    looks: list[TestEvaluated] = []
    with StopRequest(options.seconds) as stop, ExitStack() as stack:
        noise = stack.enter_context(LibraryNoise())
        views = [stack.enter_context(Sturdy(progress_view(quiet=quiet, json=json)))]

        def emit(event: Event) -> None:
            if isinstance(event, TestEvaluated):
                looks.append(event)
            if isinstance(event, SweepStarted):  # only now the folder is there
                noise.into(folder.log)
                if (log := _log_of(folder.log, stack)) is not None:
                    views.append(Sturdy(PlainLines(console_on(log))))
            for view in views:
                view(event)

        ended = run_sweep(spec, folder, options, emit, wall, stop)
    if not json:
        with contextlib.suppress(OSError):  # nobody reads it
            print_summary(answers(), summary(ended, spec.objective, test=looks[-1] if looks else None))
    if ended.reason == "interrupted":
        raise Interrupted("interrupted; every finished trial is kept", hint="The same command resumes")


def _log_of(path: Path, stack: ExitStack) -> TextIO | None:
    """The log, with this call in it; None where it can't be written, which stops no sweep."""
    try:
        log = path.open("a", encoding="utf-8", buffering=1)
        stack.callback(_close, log)
        log.write(f"--- {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}  sweep {shlex.join(sys.argv[1:])}\n")
    except OSError:
        return None
    return log


def _close(log: TextIO) -> None:
    with contextlib.suppress(OSError):  # a full disk
        log.close()
