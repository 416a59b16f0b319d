"""Print `sweep list`: a row for each sweep, newest first."""

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

EXHAUSTED = "done (exhausted)"  # every point of the space was tried before all trials were used
NO_MODEL = "no model"  # the search is done, but the best model is missing: `sweep run` writes it
STATE_STYLES = {"done": "green", EXHAUSTED: "green", "running": "bold cyan", "stopped": "yellow", NO_MODEL: "yellow"}
LONGEST_VALUES = (32, 24, 16)  # cells of a value on a terminal, tried in this order


@dataclass(frozen=True, slots=True)
class SweepRow:
    name: str
    trials: int  # finished and recorded
    total: int | None  # trials that the sweep should have
    failed: int
    value: float | None  # of the winner (a mean if seeds decide), or of the best if all trials are imported
    stderr: float | None
    metric: str
    goal: str
    engine: str
    state: str  # "done", "done (exhausted)", "no model", "running", "stopped", or an error
    last_activity: float  # seconds since 1970
    imported: bool = False  # another program trained the trial of `value`
    waiting: int = 0  # ended trials that are recorded once trials with lower numbers have ended


def sweep_row(folder: SweepFolder) -> SweepRow:
    """Read the row of a sweep in `sweep list`. If the record can't be read, `state` is the error message."""
    active = last_change(folder)
    try:
        sweep = RecordedSweep.read(folder)
        facts, trials = sweep.facts, len(sweep.results)
        waiting = list_waiting(folder, trials, facts.trials)
    except RecordError as error:
        return SweepRow(folder.name, 0, None, 0, None, None, "", "maximize", "", error.message, active)
    best = sweep.best
    # Imported trials can't win, so the best imported trial is shown instead of a winner.
    if all(map(is_imported, sweep.results)):
        candidates = (result for result in sweep.results if comparable(result, sweep.objective))
        best = min(candidates, key=lambda result: order_key(result, sweep.objective), default=None)
    done = trials in (facts.good_enough, facts.no_better) or trials >= (facts.trials or 0)
    state = EXHAUSTED if facts.exhausted == trials else "done" if done else "stopped"
    if living_owner(folder):
        state = "running"
    elif best is not None and facts.choice.recipes and not best.final:
        state = "stopped"
    elif state != "stopped" and best is not None and not is_imported(best) and not folder.card.exists():
        state = NO_MODEL if facts.has_models else state
    value, stderr = score(best) if best is not None else (None, None)
    return SweepRow(
        name=folder.name,
        trials=trials,
        total=facts.trials,
        failed=sum(result.state is TrialState.FAIL for result in sweep.results),
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
    """Print a line for each sweep. `now` (seconds since 1970) gives the age of each sweep's last change."""
    if not rows:
        console.print(Text("no sweeps yet: `sweep run SPACE.yaml` starts a sweep", style="dim"))
        return
    ages = [now - row.last_activity for row in rows]
    # Trials that were added by hand may exceed the total.
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
