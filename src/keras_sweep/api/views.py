"""What shows a run that was given no listener."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

from keras_sweep.trial.events import Event, Listener


def default_view() -> AbstractContextManager[Listener]:
    """The live board on a terminal, one that redraws itself in a notebook, nothing elsewhere."""
    if _in_notebook():
        from keras_sweep.views.running.notebook import NotebookBoard

        return NotebookBoard()
    if sys.stderr is not None and sys.stderr.isatty():
        from keras_sweep.views.running.progress import progress_view

        return progress_view()
    return nullcontext(_nothing)


def _nothing(event: Event) -> None:
    del event


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return getattr(running, "kernel", None) is not None
