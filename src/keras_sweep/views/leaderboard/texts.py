"""Write the columns and notes of a leaderboard, shared by terminals, notebooks, Markdown and reports."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from keras_sweep.record.facts import TestScores
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escape, itemize, join, pluralize
from keras_sweep.trial.comparison import Estimate, find_doubts
from keras_sweep.trial.ranking import SeedScores, loss_name
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import FRONT, LeaderboardRow, Ranking, is_number, varying_names, winning_row
from keras_sweep.views.terminal.text import ON_FRONT, TIE, decimals, params_text, score_text, seconds_text, value_text

PARAMETER = "params."  # start of the key of a parameter's column
KEEP_PARAMETER = 10  # of the first parameter; the next parameter has 11
CHANCE = 1.96  # standard errors: a 95 % interval is twice as wide


@dataclass(frozen=True, slots=True)
class LeaderboardColumn:
    key: str  # as `--sort` and `--where` know it
    head: str
    text: Callable[[LeaderboardRow], str]
    keep: int = 0  # in a narrow terminal the column with the highest number leaves first; 0 stays
    number: bool = True  # its cells are numbers
    style: str | None = None  # on a terminal; None: the style of the row

    @property
    def parameter(self) -> str | None:
        return self.key.removeprefix(PARAMETER) if self.key.startswith(PARAMETER) else None


def leaderboard_columns(
    ranking: Ranking,
    *,
    parameters: Sequence[str] | None = None,
    errors: bool = True,
    reasons: bool = True,
    over_seeds: bool = False,
    timing: bool = True,
    curve: Callable[[LeaderboardRow], str] | None = None,
) -> list[LeaderboardColumn]:
    """Return the columns that have something to show, left to right.

    Args:
        parameters: Parameters with a column. By default, the parameters that differ between all trials.
        errors: Show standard errors of values. The column `behind` always has its standard errors.
        reasons: Show why trials ended early.
        over_seeds: Show the mean over seeds in a column, instead of a line below its trial.
        timing: Show the seconds and the engine of a trial.
        curve: Draws a row's learning curve. If None, the table has no column of curves.
    """
    rows, all_rows, objective = ranking.rows, ranking.ranked, ranking.objective
    names = varying_names(all_rows) if parameters is None else parameters
    keeps = {name: KEEP_PARAMETER + place for place, name in enumerate(names)}
    columns = [
        LeaderboardColumn("rank", "#", lambda row: str(row.rank), style="dim"),
        LeaderboardColumn("number", "trial", lambda row: str(row.number), keep=1),
        LeaderboardColumn("value", objective.name, lambda row: _score(row, errors)),
    ]
    if over_seeds and any(row.seeds is not None for row in all_rows):
        columns.append(LeaderboardColumn("seeds_mean", "over seeds", lambda row: over_seeds_text(row.seeds)))
    if is_paired(all_rows):
        head = behind_head(objective)
        columns.append(LeaderboardColumn("behind", head, lambda row: behind_text(row, objective), keep=3, style=""))
    for goal in objective.further:
        columns.append(LeaderboardColumn(goal.name, goal.name, partial(goal_text, name=goal.name)))
    if objective.further:
        columns.append(LeaderboardColumn(FRONT, FRONT, lambda row: ON_FRONT if row.front else "", number=False))
    columns += [_parameter_column(name, all_rows, keeps[name]) for name in names if name != "epochs"]
    if any(row.imported or row.state is not TrialState.COMPLETE for row in rows):
        keep = 2 if any(row.imported for row in rows) else 60  # the state says which trials can't win
        columns.append(LeaderboardColumn("state", "state", lambda row: state_text(row, reasons), keep, number=False))
    columns.append(LeaderboardColumn("epochs", "epochs", epochs_text, keeps.get("epochs", 61), style=""))
    if curve is not None and any(len(row.curve) > 1 for row in rows):
        columns.append(LeaderboardColumn("curve", "curve", curve, keep=300, number=False, style="cyan"))
    if timing:  # an imported trial may have no time, which becomes a dash
        time = LeaderboardColumn("seconds", "time", lambda row: seconds_text(row.seconds or math.nan), 200, style="dim")
        columns.append(time)
    if timing and len({row.engine for row in rows}) > 1:
        columns.append(LeaderboardColumn("engine", "engine", lambda row: escape(row.engine), 201, False, "dim"))
    return columns


def goal_text(row: LeaderboardRow, name: str) -> str:
    """Return the row's value of `name`, a goal besides the objective: `2,410`, `0.0832`."""
    value = row.metrics.get(name)
    return f"{value:,.0f}" if value is not None and value.is_integer() else score_text(value)


def goals_text(row: LeaderboardRow, objective: Objective) -> str:
    """Return the row's goals besides the objective: `  parameters 2,410  val_loss 0.0832`; "" if there are none."""
    return "".join(f"  {escape(goal.name)} {goal_text(row, goal.name)}" for goal in objective.further)


def _parameter_column(name: str, all_rows: Sequence[LeaderboardRow], keep: int) -> LeaderboardColumn:
    def text(row: LeaderboardRow) -> str:
        return value_text(row.params[name]) if name in row.params else "–"

    numbers = all(is_number(row.params[name]) for row in all_rows if name in row.params)
    return LeaderboardColumn(PARAMETER + name, name, text, keep, numbers)


def lines_of(row: LeaderboardRow, columns: Sequence[LeaderboardColumn]) -> list[list[str]]:
    """Return a list of the row's texts, a text per column. After several seeds, a second list has their mean score."""
    lines = [[column.text(row) for column in columns]]
    if row.seeds is not None:
        below = dict(zip(("number", "value"), seeds_texts(row.seeds), strict=True))
        lines.append([below.get(column.key, "") for column in columns])
    return lines


def _score(row: LeaderboardRow, errors: bool) -> str:
    """Return `0.8570 ±0.0032 ≈` (score, standard error if `errors`, sign of a tie), or `failed`."""
    if row.state is TrialState.FAIL:
        return "failed"
    return score_text(row.value, row.stderr if errors else None) + (f" {TIE}" if row.tie else "")


def seeds_texts(seeds: SeedScores) -> tuple[str, str]:
    """Return two texts, the number of seeds and their mean score: `×4 seeds`, `0.8549 ±0.0009 unstable`."""
    return f"×{seeds.count} seeds", score_text(seeds.mean, seeds.stderr) + (" unstable" if seeds.unstable else "")


def over_seeds_text(seeds: SeedScores | None) -> str:
    """Return mean score, standard error and number of seeds: `0.8549 ±0.0009 ×4`; "" for a single seed (None)."""
    return f"{seeds_texts(seeds)[1]} ×{seeds.count}" if seeds is not None else ""


def behind_head(objective: Objective) -> str:
    return "behind (points)" if objective.is_share else "behind"


def behind_text(row: LeaderboardRow, objective: Objective) -> str:
    """Return how far a trial's score is behind the winner's: `0.07 ±0.15`; "" for the winner, or if unknown."""
    if row.behind is None or (row.behind_stderr is None and row.behind == 0):
        return ""
    return difference_text(row.behind, objective, row.behind_stderr or None)


def is_ahead(row: LeaderboardRow) -> bool:
    """Check whether a trial beats the winner by the search's seed alone. The winner may win by its mean over seeds."""
    return row.behind is not None and row.behind_stderr is not None and row.behind < 0


def difference_text(difference: float, objective: Objective, stderr: float | None = None, *, unit: bool = False) -> str:
    """Return a difference of scores: `0.07 ±0.15`. For accuracies: in percentage points; `unit` appends "points"."""
    if not objective.is_share:
        return score_text(difference, stderr)
    places = 2 if stderr is None else max(decimals(100.0, 100 * stderr), 2)
    text = f"{round(100 * difference, places) + 0.0:.{places}f}"  # no -0.00
    text += "" if stderr is None else f" ±{100 * stderr:.{places}f}"
    return f"{text} points" if unit else text


def is_paired(rows: Sequence[LeaderboardRow]) -> bool:
    """Check whether any trial was compared with the winner on each validation row, and not only by its value."""
    return any(row.behind_stderr is not None for row in rows)


def state_text(row: LeaderboardRow, reasons: bool = True) -> str:
    """Return `FAIL diverged`, `PRUNED` or `imported`; "" for a completed trial. Without `reasons`: `FAIL`."""
    state = "" if row.state is TrialState.COMPLETE else row.state.value
    reason = escape(row.reason or "") if reasons else ""
    if state:
        reason = reason.removeprefix("pruned").strip()
    return " ".join(word for word in ("imported" if row.imported else "", state, reason) if word)


def epochs_text(row: LeaderboardRow) -> str:
    """Return `12`; `3/12` if training ended early; `9 of 12` if the score is of epoch 9 and training had 12 epochs."""
    requested = row.params.get("epochs")
    if row.imported and not row.epochs:
        return str(requested) if isinstance(requested, int) else "-"
    if not isinstance(requested, int) or row.epochs == requested:
        return str(row.epochs)
    return f"{row.epochs}/{requested}" if row.epochs < requested else f"{requested} of {row.epochs}"


def leaderboard_notes(ranking: Ranking) -> list[str]:
    """Return the sentences below a leaderboard: shared parameters, ties, order, and the expected score."""
    rows, objective, comparison = ranking.ranked, ranking.objective, ranking.comparison
    notes = []
    if len(rows) > 1:
        varying = {*varying_names(rows), "epochs"}
        common = {name: value for name, value in rows[0].params.items() if name not in varying}
        notes += [f"in all trials: {params_text(common)}"] if common else []
    if tied := [row for row in rows if row.tie]:
        judged = f", judged on {comparison.units}" if comparison is not None and comparison.units else ""
        notes.append(f"{TIE} the best of all is among these {len(tied):,} trials (95 %{judged})")
        notes.append(_finalist_note(tied))
    if other_rows := sum(row.other_rows for row in rows):
        trials = f"{pluralize(other_rows, 'trial')} with other validation rows than the winner"
        notes.append(f"{trials}: only values are compared")
    notes += _front_notes(rows, objective)
    notes += _order_notes(rows, objective)
    if any(row.seeds is not None and row.seeds.unstable for row in rows):
        notes.append("unstable: the seeds differ by more than chance")
    best = winning_row(rows)
    if best is not None and best.seeds is not None and any(is_ahead(row) for row in rows):
        better = "behind below 0: better than the winner with the search's seed"
        notes.append(f"{better}; the winner ranks by its mean over {best.seeds.count} seeds")
    if any(row.imported for row in rows):
        named = "no trial was trained here" if best is None else f"best trained here: trial {best.number}"
        notes.append(f"{named}; imported trials guide the search, but can't win")
    notes += map(escape, find_doubts(objective.name, rows))
    could_win = [row for row in rows if row.behind is not None] if objective.where else rows
    candidates = sum(row.comparable and not row.imported for row in could_win)
    if best is not None and comparison is not None and comparison.estimate is not None:
        candidates -= sum(row.comparable and row.other_rows for row in could_win)
        corrected = f", corrected for picking the best of {candidates:,}" if candidates > 1 else ""
        drawn = f", on {comparison.rows:,} of {comparison.all_rows:,} validation rows" if comparison.all_rows else ""
        notes.append(f"expected on new rows: {interval_text(comparison.estimate)}{corrected}{drawn}")
        if (more := comparison.more) is not None:
            worth = "worth it" if more.worth_it else "not worth it"
            gain = f"{more.trials:,} more would gain at most {difference_text(more.gain, objective, unit=True)}"
            resolution = f"{comparison.units} show differences above {difference_text(more.resolved, objective)}"
            notes.append(f"More trials are {worth}: {gain}, and {resolution}.")
    elif best is not None and candidates > 1:
        kind = "trial" if objective.take_best else "completed trial"
        notes.append(
            f"the winner's {escape(objective.name)} is optimistic, as the best of {pluralize(candidates, kind)}"
        )
    return notes


def _finalist_note(tied: Sequence[LeaderboardRow]) -> str:
    """Say which trials of the best set were trained again with new seeds, and why the others were not."""
    again, others = [row.number for row in tied if row.final], [row for row in tied if not row.final]
    reasons = [
        f"{itemize(row.number for row in others if row.again == reason)} ({reason})"
        for reason in dict.fromkeys(row.again for row in others)
    ]
    if not again:
        return f"none of these was trained again with new seeds: {others[0].again}"
    return f"of these, trained again with new seeds: {itemize(again)}" + (
        "; not: " + "; ".join(reasons) if reasons else ""
    )


def interval_text(estimate: Estimate) -> str:
    """Return an estimate with its interval: `0.8546 (95 %: 0.8482 to 0.8608)`."""
    value, low, high = (score_text(number) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} (95 %: {low} to {high})"


def mismatch_text(
    estimate: Estimate | None, test: TestScores, objective: Objective, winner: LeaderboardRow | None
) -> str | None:
    """Return a warning if the test score differs from the estimate by more than chance. Otherwise return None.

    `estimate` is the winner's expected score. If several seeds trained the winner, chance includes the seeds' spread.
    """
    name = objective.name.removeprefix("val_")
    score, stderr = test.scores.get(name), test.stderrs.get(name)
    if estimate is None or score is None or stderr is None:
        return None
    seeds = winner.seeds if winner is not None and winner.final else None
    spread = 0.0 if seeds is None or seeds.stderr is None else seeds.stderr * math.sqrt(seeds.count)
    error = math.hypot((estimate.high - estimate.low) / (2 * CHANCE), stderr, spread)
    if not error or abs(score - estimate.value) <= CHANCE * error:
        return None
    distance = difference_text(abs(score - estimate.value), objective, unit=True)
    side = "better" if objective.is_better(score, estimate.value) else "worse"
    rows = "the test rows differ from the validation rows"
    return f"The test score is {distance} {side} than expected, and not by chance: {rows}."


def _front_notes(rows: Sequence[LeaderboardRow], objective: Objective) -> list[str]:
    names, notes = [goal.name for goal in objective.further], []
    if names:
        count = pluralize(sum(row.front is True for row in rows), "trial")
        better = f"no other trial is as good in {join([objective.name, *names], 'and')} and better in a goal"
        notes.append(f"{ON_FRONT} {count} on the front: {escape(better)}; `--where front=true` shows them")
    if "predict_seconds" in names:
        notes.append("predict_seconds: the median of 50 calls with 32 rows, on the machine that trained")
    if objective.where:
        notes.append(escape(f"the winner has the best {objective.name} of trials with {objective.where}"))
    return notes


def _order_notes(rows: Sequence[LeaderboardRow], objective: Objective) -> list[str]:
    notes = []
    values = [row.value for row in rows if row.value is not None and row.comparable]
    if len(set(values)) < len(values):
        by_loss = "" if objective.name == loss_name(objective) else f"{loss_name(objective)}, then by "
        notes.append(f"equal values rank by {by_loss}fewer epochs, then by number")
    if any(row.final for row in rows):
        notes.append("trials trained with more seeds rank first, by the mean over all seeds (± its standard error)")
    if any(row.state is TrialState.PRUNED and row.value is not None for row in rows):
        among = "among the others: each is scored at its best epoch"
        below = "below complete trials: their values are of earlier epochs"
        notes.append(f"pruned trials rank {among if objective.take_best else below}")
    return notes
