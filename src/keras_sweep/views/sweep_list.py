"""`sweep list`: one row a sweep, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from keras_sweep.errors import RecordError
from keras_sweep.record.lock import living_owner
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, last_change
from keras_sweep.record.trial_record import list_waiting
from keras_sweep.trial.ranking import comparable, is_imported, order_key, score
from keras_sweep.trial.result import TrialState
from keras_sweep.views.terminal.table import Column, print_table
from keras_sweep.views.terminal.text import score_text, seconds_text

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


def sweep_row(folder: SweepFolder) -> SweepRow:
    """The row of a sweep; of one that can't be read it says why."""
    active = last_change(folder)
    try:
        sweep = RecordedSweep.read(folder)
        facts, trials = sweep.facts, len(sweep.results)
        waiting = list_waiting(folder, trials, facts.trials)
    except RecordError as error:
        return SweepRow(folder.name, 0, None, 0, None, None, "", "maximize", "", error.message, active)
    best = sweep.best
    if all(map(is_imported, sweep.results)):  # of which none can win
        leading = (one for one in sweep.results if comparable(one, sweep.objective))
        best = min(leading, key=lambda one: order_key(one, sweep.objective), default=None)
    done = facts.good_enough == trials or trials >= (facts.trials or 0)
    state = EXHAUSTED if facts.exhausted == trials else "done" if done else "stopped"
    if living_owner(folder):
        state = "running"
    elif best is not None and facts.choice.recipes and not best.final:
        state = "stopped"  # before all finalists were trained
    elif state != "stopped" and best is not None and not is_imported(best) and not folder.card.exists():
        state = NO_MODEL
    value, stderr = score(best) if best is not None else (None, None)
    return SweepRow(
        name=folder.name,
        trials=trials,
        total=facts.trials,
        failed=sum(one.state is TrialState.FAIL for one in sweep.results),
        value=value,
        stderr=stderr,
        metric=facts.metric,
        goal=facts.goal,
        engine=facts.engine,
        state=state,
        last_activity=active,
        imported=best is not None and is_imported(best),
        waiting=len(waiting),
    )


def print_sweeps(console: Console, rows: Sequence[SweepRow], now: float) -> None:
    """A line a sweep; `now` is in seconds since 1970."""
    if not rows:
        console.print(Text("no sweeps here yet: start one with `sweep run SPACE.yaml`", style="dim"))
        return
    ages = [now - row.last_activity for row in rows]
    # Where points were added by hand there are more trials than were asked for.
    totals = ["" if row.total is None or row.total < row.trials else f"/{row.total:,}" for row in rows]
    columns = [
        Column("sweep", [row.name for row in rows], style="bold"),
        Column("trials", [f"{row.trials:,}{total}" for row, total in zip(rows, totals, strict=True)], right=True),
        Column("failed", [str(row.failed or "") for row in rows], 5, right=True, style="red"),
        Column("best", [score_text(row.value, row.stderr) + " imported" * row.imported for row in rows], style="green"),
        Column("metric", [row.metric for row in rows], 3),
        Column("engine", [row.engine for row in rows], 4, style="dim"),
        Column("last change", ["just now" if age < 5 else f"{seconds_text(age)} ago" for age in ages], 2, style="dim"),
        Column("state", [Text(row.state, STATE_STYLES.get(row.state, "red")) for row in rows], 1),
    ]
    shown = [column for column in columns if any(map(str, column.cells))]
    print_table(console, shown, LONGEST_VALUES)
