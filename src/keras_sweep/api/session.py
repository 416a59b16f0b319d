"""Run a sweep inside a user's program: signals, output of libraries, the sweep's log, and the default view."""

import os
import shlex
import sys
import threading
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from keras_sweep.api.edge import warn_of_notices
from keras_sweep.process.backend import is_kernel
from keras_sweep.process.stop_request import IS_COMMAND, StopRequest
from keras_sweep.process.streams import LibraryNoise, has_descriptor, replace_closed_streams, warn_once
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.events import SweepEnded, SweepStarted
from keras_sweep.sweep.run import RunOptions, run_sweep
from keras_sweep.system.disk import APPEND
from keras_sweep.trial.events import Event, Listener
from keras_sweep.views.notebook import NotebookBoard
from keras_sweep.views.running.live import OutputMayVanish, progress_view
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import console_on

# Trials that train by `fit` seed and use random generators that are global to the process.
_run_lock = threading.RLock()


def run_session(
    spec: SweepSpec, folder: SweepFolder, options: RunOptions, listener: Listener | None, wall: WallTime
) -> SweepEnded:
    """Run a sweep, send its events to `listener` (None: `default_view`), and write its log. Raises as `run_sweep`. The
    caller sets KERAS_BACKEND first. `wall` measures the run's time. In the main thread, output of C++ libraries goes
    into the log, unless Python's standard error is replaced, as in a notebook. The first signal (Ctrl-C) lets the
    running trials finish. The second ends the process of the `sweep` command, and raises KeyboardInterrupt
    elsewhere."""
    main = threading.current_thread() is threading.main_thread()
    with _run_lock, ExitStack() as stack:
        stop = stack.enter_context(StopRequest(ends_process=IS_COMMAND.get()))
        stack.enter_context(replace_closed_streams())
        stack.enter_context(warn_once())
        if main and has_descriptor(sys.stderr, 2):
            stack.enter_context(LibraryNoise())
        # The view comes last: from here on nothing else writes to stderr.
        listeners = [stack.enter_context(default_view()) if listener is None else listener]

        def emit(event: Event) -> None:
            if isinstance(event, SweepStarted):  # the folder of the log exists now
                if LibraryNoise.active is not None:
                    LibraryNoise.active.write_to_log(folder.log)
                if (log := _open_log(folder.log, stack)) is not None:
                    listeners.append(stack.enter_context(OutputMayVanish(PlainLines(console_on(log)))))
            for hear in listeners:
                hear(event)

        return run_sweep(spec, folder, options, emit, wall, stop)


def _open_log(path: Path, stack: ExitStack) -> TextIO | None:
    """Open the log `path` to append, and write the program's command line into it. `stack` closes the log. Return None
    if the file can't be written."""
    with suppress(OSError):
        log = os.fdopen(os.open(path, APPEND, 0o600), "a", encoding="utf-8", newline="\n", buffering=1)
        stack.callback(_close, log)
        call = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) if sys.argv and sys.argv[0] else "python"
        log.write(f"--- {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}  {call}\n")
        return log
    return None


def _close(log: TextIO) -> None:
    with suppress(OSError):  # a full disk
        log.close()


def default_view() -> AbstractContextManager[Listener]:
    """Return a context manager with a listener: a live board in a terminal or notebook, else Python warnings."""
    if is_kernel():
        return NotebookBoard()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return progress_view() if is_terminal else nullcontext(warn_of_notices)
