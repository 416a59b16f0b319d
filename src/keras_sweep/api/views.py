"""What shows a run that was given no listener."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext

from keras_sweep.trial.events import Event, Listener, Noticed


def default_view() -> AbstractContextManager[Listener]:
    """The live board on a terminal, one that redraws itself in a notebook; elsewhere only notices, as warnings."""
    from keras_sweep.views.running.progress import progress_view

    if _in_notebook():
        return progress_view("notebook")
    if sys.stderr is not None and sys.stderr.isatty():
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
