"""`sweep list`: one row a sweep, newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.text import escaped
from keras_sweep.views.leaderboard.formats import json_list
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.drawing import Drawing, drawing_for
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import ago_text, score_text, shorten

EXHAUSTED = "done (exhausted)"  # no point of the space is left, however many trials were asked for
NO_MODEL = "no model"  # the search is done, but its best model is not written: `sweep run` of the same file does it
STATE_STYLES = {"done": "green", EXHAUSTED: "green", "running": "bold cyan", "stopped": "yellow", NO_MODEL: "yellow"}
LONGEST_VALUES = (32, 24, 16)  # cells of one value on a terminal, tried in this order


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


@dataclass(frozen=True, slots=True)
class SweepTable:
    """A rich renderable; `now` is in seconds since 1970."""

    rows: Sequence[SweepRow]
    now: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.rows:
            yield Text("no sweeps here yet: start one with `sweep run SPACE.yaml`", style="dim")
            return
        drawing = drawing_for(options.encoding)
        forms = [partial(self.columns, drawing, longest_value(options.max_width, n)) for n in LONGEST_VALUES]
        columns, _ = fitted(forms, options.max_width)
        yield drawn(columns, options)

    def columns(self, drawing: Drawing, longest: int) -> list[Column]:
        """All columns, left to right."""
        rows = ordered(self.rows)
        now = time.time() if self.now is None else self.now

        def texts(of: Sequence[str], style: str = "") -> tuple[Text, ...]:
            return tuple(Text(shorten(escaped(text), longest, drawing.ellipsis), style=style) for text in of)

        columns = [
            Column("sweep", texts([row.name for row in rows], "bold")),
            Column("trials", texts([_trials(row) for row in rows]), right=True),
            Column("best", texts([_best(row, drawing) for row in rows], "green")),
            Column("metric", texts([row.metric for row in rows]), keep=3),
            Column("engine", texts([row.engine for row in rows], "dim"), keep=4),
            Column("last change", texts([ago_text(now - row.last_activity) for row in rows], "dim"), keep=2),
            Column("state", tuple(_state(row, longest, drawing) for row in rows), keep=1),
        ]
        if any(row.failed for row in rows):
            columns.insert(2, Column("failed", texts([str(row.failed or "") for row in rows], "red"), 5, right=True))
        return columns


def _best(row: SweepRow, drawing: Drawing) -> str:
    return score_text(row.value, row.stderr, pm=drawing.pm) + (" imported" if row.imported else "")


def _trials(row: SweepRow) -> str:
    return f"{row.trials:,}" if row.total is None else f"{row.trials:,}/{row.total:,}"


def _state(row: SweepRow, longest: int, drawing: Drawing) -> Text:
    return Text(shorten(escaped(row.state), longest, drawing.ellipsis), style=STATE_STYLES.get(row.state, "red"))
