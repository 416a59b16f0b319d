"""Why a search ended."""

from __future__ import annotations

from enum import StrEnum


class EndReason(StrEnum):
    """Each value is what views say and JSON has."""

    DONE = "done"  # as many trials as were asked for are recorded
    EXHAUSTED = "the space is exhausted"  # every different trial of the space has been tried
    OUT_OF_TIME = "time is up"
    INTERRUPTED = "interrupted"  # by a signal


def exhausted_text(trials: int) -> str:
    """What is said of a space of which so many trials are all that there are."""
    which = f"every one of the {trials} different trials" if trials > 1 else "the one trial"
    return f"{which} of the space has been tried"
