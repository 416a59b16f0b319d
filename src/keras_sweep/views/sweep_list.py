"""`sweep list`: one row a sweep, newest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.errors import RecordError
from keras_sweep.record.lock import living_owner
from keras_sweep.record.reader import read_summary
from keras_sweep.record.sweep_folder import SweepFolder, all_sweeps
from keras_sweep.record.trial_record import waiting_beside
from keras_sweep.space.text import escaped
from keras_sweep.trial.finalists import score
from keras_sweep.trial.ranking import imported
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.formats import json_list
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import ago_text, score_text, shorten

EXHAUSTED = "done (exhausted)"  # no point of the space is left, however many trials were asked for
NO_MODEL = "no model"  # the search is done, but its best model is not written: `sweep run` of the same file does it
STATE_STYLES = {"done": "green", EXHAUSTED: "green", "running": "bold cyan", "stopped": "yellow", NO_MODEL: "yellow"}
LONGEST_VALUES = (32, 24, 16)  # cells of one value on a terminal, tried in this order


@dataclass(frozen=True, slots=True)
class SweepRow:
    name: str
    trials: int  # finished and recorded
    total: int | None  # that there are to be
    failed: int
    value: float | None  # of the winner, the mean where several seeds decide; of the best where all are imported
    stderr: float | None
    metric: str
    goal: str
    engine: str
    state: str  # "done", "done (exhausted)", "no model", "running", "stopped", or what is wrong with it
    last_activity: float  # seconds since 1970
    imported: bool = False  # the value is of a trial that another program trained
    waiting: int = 0  # trials that have ended, and wait for their turn in the record


def sweep_rows(sweeps_dir: Path | None = None) -> list[SweepRow]:
    """Every sweep of a folder, newest first; one that can't be read says why."""
    rows = map(_row_of, all_sweeps(sweeps_dir))
    return sorted(rows, key=lambda row: (-row.last_activity, row.name))


def _row_of(folder: SweepFolder) -> SweepRow:
    active = folder.study.lstat().st_mtime
    try:
        known = read_summary(folder)
        facts, best, trials = known.facts, known.best, sum(known.trials.values())
        waiting = waiting_beside(folder, trials, facts.trials)
    except RecordError as error:
        return SweepRow(folder.name, 0, None, 0, None, None, "", "maximize", "", error.message, active)
    state = EXHAUSTED if facts.exhausted == trials else "done" if trials >= (facts.trials or 0) else "stopped"
    if living_owner(folder):
        state = "running"
    elif best is not None and facts.choice.recipes and not best.final:
        state = "stopped"  # before all finalists were trained
    elif state != "stopped" and best is not None and not imported(best) and not folder.card.exists():
        state = NO_MODEL
    value, stderr = score(best) if best is not None else (None, None)
    return SweepRow(
        name=folder.name,
        trials=trials,
        total=facts.trials,
        failed=known.trials.get(TrialState.FAIL, 0),
        value=value,
        stderr=stderr,
        metric=facts.metric,
        goal=facts.goal,
        engine=facts.engine,
        state=state,
        last_activity=active,
        imported=best is not None and imported(best),
        waiting=len(waiting),
    )


def sweep_list_json(rows: Sequence[SweepRow]) -> str:
    """A list with one object a sweep, one a line; strict JSON in ASCII."""
    return json_list(map(asdict, rows))


@dataclass(frozen=True, slots=True)
class SweepTable:
    """A rich renderable; `now` is in seconds since 1970."""

    rows: Sequence[SweepRow]
    now: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.rows:
            yield Text("no sweeps here yet: start one with `sweep run SPACE.yaml`", style="dim")
            return
        forms = [partial(self.columns, longest_value(options.max_width, most)) for most in LONGEST_VALUES]
        yield drawn(fitted(forms, options.max_width)[0])

    def columns(self, longest: int) -> list[Column]:
        now = time.time() if self.now is None else self.now

        def column(head: str, text_of: Callable[[SweepRow], str], style: str = "", **more: Any) -> Column:
            styles = STATE_STYLES if head == "state" else {}
            texts = [(shorten(escaped(text_of(row)), longest), styles.get(row.state, style)) for row in self.rows]
            return Column(head, tuple(Text(text, each) for text, each in texts), **more)

        columns = [
            column("sweep", lambda row: row.name, "bold"),
            column(
                "trials", lambda row: f"{row.trials:,}" + ("" if row.total is None else f"/{row.total:,}"), right=True
            ),
            column("failed", lambda row: str(row.failed or ""), "red", keep=5, right=True),
            column("best", lambda row: score_text(row.value, row.stderr) + " imported" * row.imported, "green"),
            column("metric", lambda row: row.metric, keep=3),
            column("engine", lambda row: row.engine, "dim", keep=4),
            column("last change", lambda row: ago_text(now - row.last_activity), "dim", keep=2),
            column("state", lambda row: row.state, "red", keep=1),
        ]
        return [each for each in columns if each.header != "failed" or any(row.failed for row in self.rows)]
