"""Every sentence that is said of a leaderboard."""

import math
from collections.abc import Sequence

from keras_sweep.record.facts import TestScores
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import counted, escaped, joined
from keras_sweep.trial.comparison import (
    PAIRED,
    Comparison,
    Estimate,
    doubts,
)
from keras_sweep.trial.ranking import loss_name
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.columns import difference_text, is_ahead
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, varying_names, winning_row
from keras_sweep.views.terminal.drawing import ON_FRONT, TIE
from keras_sweep.views.terminal.text import params_text, score_text

CHANCE = 1.96  # standard errors: a 95 % interval is twice as wide


def leaderboard_notes(ranking: Ranking) -> list[str]:
    """What must be said with a leaderboard, each in a line: shared parameters, ties, order, and what the winner is."""
    rows, objective, comparison = ranking.ranked, ranking.objective, ranking.comparison
    notes = []
    if len(rows) > 1:
        not_common = {*varying_names(rows), "epochs"}
        common = {name: value for name, value in rows[0].params.items() if name not in not_common}
        notes += [f"in all trials: {params_text(common)}"] if common else []
    tied = [row for row in rows if row.tie]
    if tied:
        notes.append(f"{TIE} {_ties_text(tied, comparison)}")
    if others := sum(row.other_rows for row in rows):
        notes.append(f"{counted(others, 'trial')} with other validation rows than the winner: compared by value alone")
    notes += _front_notes(rows, objective)
    notes += _order_notes(rows, objective)
    if any(row.seeds is not None and row.seeds.unstable for row in rows):
        notes.append("unstable: the seeds differ by more than chance in the validation rows explains")
    best = winning_row(rows)
    if best is not None and best.seeds is not None and any(is_ahead(row) for row in rows):
        notes.append(
            f"behind below 0: better with the seed of the search; the winner ranks by its mean over {best.seeds.count}"
        )
    if any(row.imported for row in rows):
        named = "no trial was trained here" if best is None else f"best trained here: trial {best.number}"
        notes.append(f"{named}; imported trials guide the search, but can't win")
    notes += map(escaped, doubts(objective.name, rows))
    could_win = [row for row in rows if row.behind is not None] if objective.where else rows
    candidates = sum(row.comparable and not row.imported for row in could_win)
    if best is not None and comparison is not None and comparison.estimate is not None:
        candidates -= sum(row.comparable and row.other_rows for row in could_win)
        corrected = f", corrected for picking the best of {candidates:,}" if candidates > 1 else ""
        notes.append(f"expected on new rows: {interval_text(comparison.estimate)}{corrected}")
        if (more := comparison.more) is not None:
            worth = "worth it" if more.worth_it else "not worth it"
            gain = f"{more.trials:,} more would gain at most {difference_text(more.gain, objective, unit=True)}"
            told = f"{comparison.rows or 0:,} rows tell {difference_text(more.resolved, objective)} apart"
            notes.append(f"More trials are {worth}: {gain}, and {told}.")
    elif best is not None and candidates > 1:
        kind = "trial" if objective.take_best else "completed trial"
        notes.append(f"the winner's {escaped(objective.name)} is optimistic: the best of {counted(candidates, kind)}")
    return notes


def interval_text(estimate: Estimate) -> str:
    """`0.8546 (95 %: 0.8482 to 0.8608)`."""
    value, low, high = (score_text(each) for each in (estimate.value, estimate.low, estimate.high))
    return f"{value} (95 %: {low} to {high})"


def unlike_text(
    estimate: Estimate | None, test: TestScores, objective: Objective, winner: LeaderboardRow | None
) -> str | None:
    """That the test rows differ from the validation rows, where the two scores do by more than chance; else None.

    Of a winner with several seeds one is tested, which differs from the others by the chance of its seed. Luck in
    choosing the winner is no part of it: the estimate is without that.
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
    side = "below" if score < estimate.value else "above"
    return (
        f"The test score is {distance} {side} what was expected: more than chance, "
        "so the test rows differ from the validation rows."
    )


def _ties_text(tied: Sequence[LeaderboardRow], comparison: Comparison | None) -> str:
    best = tied[0]
    if comparison is not None and comparison.method == PAIRED:
        others = counted(len(tied) - 1, "other trial")
        are = "is" if len(tied) == 2 else "are"
        return f"{others} {are} as good as the winner, as far as {comparison.rows:,} rows can tell (paired test, 95 %)."
    if best.stderr is None:
        return f"{len(tied):,} trials have the best value: they are ties"
    within = score_text(best.value, best.stderr).partition(" ")[2]
    return f"{len(tied):,} ties within one standard error ({within}): these data can't tell them apart"


def _front_notes(rows: Sequence[LeaderboardRow], objective: Objective) -> list[str]:
    """What the front is, and where goals were measured."""
    names = [one.name for one in objective.further]
    chosen = [f"the winner is the best by {objective.name} of those with {objective.where}"] if objective.where else []
    if not names:
        return [*map(escaped, chosen)]
    count = counted(sum(row.front is True for row in rows), "trial")
    better = f"no other trial is as good in {joined([objective.name, *names], 'and')} and better in one of them"
    notes = [f"{ON_FRONT} {count} on the front: {escaped(better)}; `--where front=true` shows these"]
    if "predict_seconds" in names:
        notes.append("predict_seconds: a call with 32 rows, the median of 50, on the machine that trained")
    return [*notes, *map(escaped, chosen)]


def _order_notes(rows: Sequence[LeaderboardRow], objective: Objective) -> list[str]:
    """By what rules trials rank that an eye might take to be out of order."""
    notes = []
    values = [row.value for row in rows if row.value is not None and row.comparable]
    if len(set(values)) < len(values):
        notes.append(f"equal values rank by {loss_name(objective)}, then by fewer epochs, then by number")
    if any(row.final for row in rows):
        notes.append("trials trained with more seeds rank first, by the mean over all seeds (± its standard error)")
    if any(row.state is TrialState.PRUNED and row.value is not None for row in rows):
        among = "among the others: each is scored at its best epoch"
        below = "below complete ones: their values are of earlier epochs"
        notes.append(f"pruned trials rank {among if objective.take_best else below}")
    return notes
