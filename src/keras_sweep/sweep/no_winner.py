"""Why a sweep has no winner."""

from __future__ import annotations

from collections.abc import Sequence

from keras_sweep.errors import RecordError
from keras_sweep.trial.ranking import imported
from keras_sweep.trial.result import Result


def no_winner(name: str, results: Sequence[Result]) -> RecordError:
    """The error to raise where a winner was asked for: no trial was trained here, or none completed."""
    if results and all(imported(result) for result in results):
        message = f"no trial of sweep {name!r} was trained here: those imported can't win, and have no weights"
        return RecordError(message, hint="`sweep run` of its space file goes on from them")
    return RecordError(f"no trial of sweep {name!r} has completed", hint="Run it, or mend what failed")
