"""What shows a run that was given no listener."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext

from keras_sweep.trial.events import Event, Listener, Noticed


def default_view() -> AbstractContextManager[Listener]:
    """The live board on a terminal, one that redraws itself in a notebook; elsewhere only notices, as warnings."""
    if _in_notebook():
        from keras_sweep.views.running.notebook import NotebookBoard

        return NotebookBoard()
    if sys.stderr is not None and sys.stderr.isatty():
        from keras_sweep.views.running.progress import progress_view

        return progress_view()
    return nullcontext(warn_of_notices)


def warn_of_notices(event: Event) -> None:
    """What was done otherwise than asked is a Python warning, where no view shows it."""
    if isinstance(event, Noticed):
        warnings.warn(event.message, stacklevel=2)


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return getattr(running, "kernel", None) is not None
