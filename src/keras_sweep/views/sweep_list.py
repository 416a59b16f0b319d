"""`sweep list`: one row a sweep, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from keras_sweep.views.leaderboard.formats import json_list

EXHAUSTED = "done (exhausted)"  # no point of the space is left, however many trials were asked for
NO_MODEL = "no model"  # the search is done, but its best model is not written: `sweep run` of the same file does it


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One sweep as the list shows it."""

    name: str
    trials: int  # finished and recorded
    total: int | None  # that there are to be
    failed: int
    value: (
        float | None
    )  # of the winner, the mean where several seeds decide; of a sweep that was imported as a whole, of its best trial
    stderr: float | None
    metric: str
    goal: str
    engine: str
    state: str  # "done", "done (exhausted)", "no model", "running", "stopped", or what is wrong with it
    last_activity: float  # seconds since 1970
    imported: bool = False  # the value is of a trial that another program trained
    waiting: int = 0  # trials that have ended, and wait for their turn in the record


def ordered(rows: Sequence[SweepRow]) -> list[SweepRow]:
    """Newest first."""
    return sorted(rows, key=lambda row: (-row.last_activity, row.name))


def sweep_list_json(rows: Sequence[SweepRow]) -> str:
    """A list with one object a sweep, one a line; strict JSON in ASCII."""
    return json_list(map(asdict, ordered(rows)))
