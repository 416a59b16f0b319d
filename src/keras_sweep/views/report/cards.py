"""The winner in words and numbers, the leaderboard as cells, and how to repeat the sweep."""

import math
import shlex
from collections.abc import Sequence

from keras_sweep.space.text import counted
from keras_sweep.trial.ranking import best_training
from keras_sweep.views.leaderboard.columns import LeaderboardColumn, leaderboard_columns, seeds_texts
from keras_sweep.views.leaderboard.notes import unlike_text
from keras_sweep.views.leaderboard.query import cell, is_number
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.drawings import sparkline
from keras_sweep.views.report.facts import PageContent
from keras_sweep.views.terminal.drawing import CurveScale
from keras_sweep.views.terminal.text import score_text, shorten

LONGEST_VALUE = 40  # characters of a parameter in the table


def winner_sentence(facts: PageContent) -> str:
    """Which trial it is, of how many, ranked by what."""
    trials = counted(len(facts.rows), "trial")
    if facts.winner is None:
        return f"No trial of {trials} could win yet." if facts.rows else "No trial has ended yet."
    total = facts.sweep.facts.trials
    more = f", of {total:,} that there are to be" if total is not None and total > len(facts.rows) else ""
    goal = "higher" if facts.sweep.objective.goal.value == "maximize" else "lower"
    seeds = facts.winner.seeds
    over = f" Over {seeds.count} seeds its configuration scores {seeds_texts(seeds)[1]}." if seeds is not None else ""
    best = f"Trial {facts.winner.number} is the best of {trials}{more}"
    those = f", of those with {facts.sweep.objective.where}" if facts.sweep.objective.where else ""
    return f"{best}, by {facts.sweep.objective.name} ({goal} is better){those}.{over}"


def number_cards(facts: PageContent) -> list[tuple[str, str]]:
    """(number, what it is) of the estimate, the leaderboard's value, the test score, the ties: those that are known."""
    winner, comparison, name = facts.winner, facts.sweep.comparison, facts.sweep.objective.name
    if winner is None:
        return []
    cards = []
    if (estimate := comparison.estimate) is not None:
        words = f"expected {name} on new rows, 95 % between {score_text(estimate.low)} and {score_text(estimate.high)}"
        cards.append((score_text(estimate.value), f"{words}: the luck of being picked is taken off"))
    score = score_text(winner.value, winner.stderr)
    over = "" if comparison.rows is None else f" over {comparison.rows:,} validation rows"
    if winner.final and winner.seeds is not None:
        score, over = seeds_texts(winner.seeds)[1], f"{over}, the mean of {winner.seeds.count} seeds"
    cards.append((score, f"{name} on the leaderboard{over}"))
    if (test := _test(facts)) is not None:
        cards.append(test)
    tied = sum(row.tie for row in facts.rows)
    among = "ties, marked ≈, the winner among them: these rows can't tell them apart"
    return [*cards, (str(tied), among if tied else "ties: no other trial is as good, as far as these rows can tell")]


def _test(facts: PageContent) -> tuple[str, str] | None:
    record, objective, best = facts.sweep.facts, facts.sweep.objective, facts.sweep.best
    test = None if best is None else record.test_of(best_training(best, objective))
    name = objective.name.removeprefix("val_")
    if test is None or name not in test.scores:
        return None
    times = "once" if record.test_looks == 1 else f"{record.test_looks} times"
    words = f"{name} on {test.rows:,} sealed test rows, looked at {times}"
    estimate = facts.sweep.comparison.estimate
    if facts.sweep.refit is not None:  # which is another model than the one that the leaderboard ranks
        words += f", of the model {facts.sweep.refit.text}"
    elif unlike := unlike_text(estimate, test, objective, facts.winner):
        words += f". {unlike}"
    return score_text(test.scores[name], test.stderrs.get(name)), words


def table_of(
    facts: PageContent, rows: Sequence[LeaderboardRow]
) -> tuple[list[LeaderboardColumn], list[tuple[LeaderboardRow, list[tuple[str, str, str]]]]]:
    """The columns of the whole leaderboard, and some of its rows."""
    of, goal = facts.rows, facts.sweep.objective.goal
    half = -(-len(of) // 2)  # the worse half would lie at the foot of a scale for all
    better, worse = (CurveScale((row.curve for row in part), goal) for part in (of[:half], of[half:]))
    columns = leaderboard_columns(
        facts.ranking,
        parameters=[axis.name for axis in facts.axes],
        over_seeds=True,
        curve=lambda row: sparkline(row.curve, facts.colour(row.number), better if row.rank <= half else worse),
    )
    return columns, [(row, [_cell(row, column, facts) for column in columns]) for row in rows]


def _cell(row: LeaderboardRow, column: LeaderboardColumn, facts: PageContent) -> tuple[str, str, str]:
    """(what is read; what is sorted by, "" last; the class of the dot before it)."""
    text = column.text(row)
    if column.parameter is not None:
        text = shorten(text, LONGEST_VALUE)
    value = cell(row, "value" if column.key == "curve" else column.key)
    if column.number or column.key == "curve":
        sort = repr(value) if is_number(value) and math.isfinite(value) else ""
    else:
        sort = "" if value is None else text
    by = facts.coloured_by
    coloured = by is not None and column.parameter == by.name and value is not None
    return text, sort, facts.colour(row.number) if coloured else ""


def repeating_calls(facts: PageContent) -> list[tuple[str, str]]:
    """(call, what it does) for somebody who wants the same numbers; no folder of this machine is in them."""
    name = shlex.quote(facts.sweep.folder.name)
    calls = []
    if facts.sweep.facts.imported is None:
        trials = counted(len(facts.rows), "trial")
        calls.append((f"sweep run SPACE.yaml --name {name}-again", f"the same {trials}, values and winner"))
    if facts.winner is not None:
        number = facts.winner.number
        calls.append((f"sweep show {name} {number}", "the winner, epoch by epoch"))
        calls.append((f"sweep replay {name} {number}", "the winner by plain model.fit, against the record"))
        calls.append((f"sweep export {name}", "its model, with its card"))
        calls.append((f"sweep verify {name}.keras", "whether the model's scores still come out"))
    return calls
