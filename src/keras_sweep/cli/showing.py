"""Runs a sweep before the user's eyes: warnings, the live board, the summary."""

from __future__ import annotations

import contextlib
from typing import TextIO

from keras_sweep.api.session import run_session
from keras_sweep.errors import Interrupted
from keras_sweep.record.reader import read_facts
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.run import RunOptions
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.trial.events import EndReason, Event, Refit, TestEvaluated, TrialEnded, WinnerRefitted
from keras_sweep.views.running.output_may_vanish import OutputMayVanish
from keras_sweep.views.running.progress import progress_view
from keras_sweep.views.summary import kept_text, print_summary, summary
from keras_sweep.views.terminal.console import stderr_console, stdout_console
from keras_sweep.views.terminal.messages import print_warning


def show_run(
    spec: SweepSpec,
    folder: SweepFolder,
    options: RunOptions,
    wall: WallTime,
    *,
    view: str | None,
    times: bool = False,
) -> None:
    """Run the sweep; progress goes to stderr, the summary (or with the view `json` every event) to stdout.

    Raises:
        Interrupted: a signal ended it.
        SweepError: as `run_sweep`.
    """
    for warning in spec.warnings:
        print_warning(stderr_console(), warning)
    looks: list[TestEvaluated] = []
    refits: list[Refit] = []
    trained: set[int] = set()

    def note(event: Event) -> None:
        if isinstance(event, TestEvaluated):
            looks.append(event)
        elif isinstance(event, WinnerRefitted):
            refits.append(event.refit)
        elif isinstance(event, TrialEnded):
            trained.add(event.result.number)

    def shown(answer: TextIO) -> OutputMayVanish:
        return OutputMayVanish(progress_view(view, out=answer))

    ended = run_session(spec, folder, options, shown, wall, others=[note], command=True)
    if view != "json":
        console = stdout_console()
        # to one who waits for it, and not where Optuna would have to be loaded for it alone
        weighed = console.is_terminal and view != "quiet" and trained and ended.reason is not EndReason.INTERRUPTED
        distributions = read_facts(folder).distributions if weighed else None
        test, refit = looks[-1] if looks else None, refits[-1] if refits else None
        said = summary(ended, spec.objective, test=test, refit=refit, distributions=distributions)
        with contextlib.suppress(OSError):  # nobody reads it
            print_summary(console, said, times=times)
    if ended.reason is EndReason.INTERRUPTED:
        parts = ["every finished trial is kept"] if ended.results or ended.waiting or not ended.kept else []
        parts += [kept_text(ended.kept)] if ended.kept else []
        raise Interrupted(f"interrupted; {', and '.join(parts)}", hint="The same command resumes")
