"""The list of sweeps drawn for a terminal or a pipe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.views.sweep_list import EXHAUSTED, NO_MODEL, SweepRow, ordered
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.drawing import Drawing, drawing_for
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import ago_text, safe, score_text, shorten

STATE_STYLES = {"done": "green", EXHAUSTED: "green", "running": "bold cyan", "stopped": "yellow", NO_MODEL: "yellow"}
LONGEST_VALUES = (32, 24, 16)  # cells of one value on a terminal, tried in this order


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
            return tuple(Text(shorten(safe(text), longest, drawing.ellipsis), style=style) for text in of)

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
    return Text(shorten(safe(row.state), longest, drawing.ellipsis), style=STATE_STYLES.get(row.state, "red"))
