"""The winner in words and numbers, and how to repeat the sweep."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keras_sweep.space.distributions import Value
from keras_sweep.space.text import escaped
from keras_sweep.views.leaderboard.columns import seeds_texts
from keras_sweep.views.leaderboard.notes import unlike_text
from keras_sweep.views.leaderboard.rows import LeaderboardRow, ties, varying_names
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.terminal.text import count_text, score_text, value_text

MOST_NAMED = 6  # parameters


@dataclass(frozen=True, slots=True)
class NumberCard:
    """A number and what it is."""

    number: str
    words: str


def number_cards(facts: SweepFacts) -> list[NumberCard]:
    """The estimate, the leaderboard's value, the test score, the ties: those that are known."""
    winner = facts.winner
    if winner is None:
        return []
    return [card for card in (_estimate(facts), _value(facts, winner), _test(facts), _ties(facts)) if card is not None]


def winner_sentence(facts: SweepFacts) -> str:
    """Which trial it is, of how many, ranked by what."""
    if facts.winner is None:
        return (
            f"No trial of {count_text(len(facts.rows), 'trial')} could win yet."
            if facts.rows
            else ("No trial has ended yet.")
        )
    total = facts.record.trials
    more = f", of {total:,} that there are to be" if total is not None and total > len(facts.rows) else ""
    goal = "higher" if facts.objective.goal.value == "maximize" else "lower"
    seeds = facts.winner.seeds
    over = f" Over {seeds.count} seeds its recipe scores {seeds_texts(seeds)[1]}." if seeds is not None else ""
    return (
        f"Trial {facts.winner.number} is the best of {count_text(len(facts.rows), 'trial')}{more}, by "
        f"{escaped(facts.objective.name)} ({goal} is better).{over}"
    )


def _estimate(facts: SweepFacts) -> NumberCard | None:
    estimate = facts.comparison.estimate
    if estimate is None:
        return None
    name, low, high = escaped(facts.objective.name), score_text(estimate.low), score_text(estimate.high)
    words = f"expected {name} on new rows, 95 % between {low} and {high}: the luck of being picked is taken off"
    return NumberCard(score_text(estimate.value), words)


def _value(facts: SweepFacts, winner: LeaderboardRow) -> NumberCard:
    candidates = sum(row.comparable and not row.imported for row in facts.rows)
    luck = f", the best of {count_text(candidates, 'trial')}, hence a little too good" if candidates > 1 else ""
    data = facts.card.get("data")
    rows = data.get("validation_rows") if isinstance(data, Mapping) else None
    folds = data.get("folds") if isinstance(data, Mapping) else None
    kind = (
        "validation rows" if type(folds) is not int else f"rows, each left out of the training in one of {folds} folds"
    )
    over = f" over {rows:,} {kind}" if type(rows) is int else ""
    score = score_text(winner.value, winner.stderr)
    if winner.final and winner.seeds is not None:
        score, over = seeds_texts(winner.seeds)[1], f"{over}, the mean of {winner.seeds.count} seeds"
    return NumberCard(score, f"{escaped(facts.objective.name)} on the leaderboard{over}{luck}")


def _test(facts: SweepFacts) -> NumberCard | None:
    test = facts.test
    if test is None:
        return None
    name = facts.objective.name.removeprefix("val_")
    name = name if name in test.scores else next(iter(test.scores), "")
    if not name:
        return None
    looks = facts.record.test_looks
    seen = "looked at once" if looks == 1 else f"looked at {looks} times"
    words = f"{escaped(name)} on {test.rows:,} sealed test rows, {seen}"
    score, stderr, estimate = test.scores[name], test.stderrs.get(name), facts.comparison.estimate
    if (refit := facts.refit) is not None:  # which is another model than the one that the leaderboard ranks
        return NumberCard(score_text(score, stderr), f"{words}, of the model {refit.text}")
    unlike = None if estimate is None else unlike_text(estimate, score, stderr, facts.objective, facts.winner)
    return NumberCard(score_text(score, stderr), f"{words}. {unlike}" if unlike else words)


def _ties(facts: SweepFacts) -> NumberCard:
    tied = ties(facts.rows)
    if not tied:
        return NumberCard("0", "ties: no other trial is as good, as far as these rows can tell")
    return NumberCard(f"{tied}", "ties, marked ≈, the winner among them: these rows can't tell them apart")


def headline(winner: LeaderboardRow, rows: Sequence[LeaderboardRow]) -> str:
    """`Adam at 0.000659 for 19 epochs, momentum 0.9`: what differs between the trials, as the winner has it."""
    varying = varying_names(rows)
    params = {name: value for name, value in winner.params.items() if name in varying} or dict(winner.params)
    words = _training_words(params)
    others = [f"{escaped(name)} {value_text(value)}" for name, value in params.items()]
    named, more = others[: MOST_NAMED - 1], len(others) - (MOST_NAMED - 1)
    if more > 1:
        others = [*named, f"{more} more"]
    text = ", ".join([words, *others] if words else others) or f"Trial {winner.number}"
    return text[0].upper() + text[1:]


def _training_words(params: dict[str, Value]) -> str:
    """What an optimizer, its rate and its epochs make as one phrase; they are taken out of the parameters."""
    words = []
    if isinstance(params.get("optimizer"), str):
        words.append(value_text(params.pop("optimizer")))
    if "learning_rate" in params:
        rate = value_text(params.pop("learning_rate"))
        words.append(f"at {rate}" if words else f"learning rate {rate}")
    epochs = params.get("epochs")
    if isinstance(epochs, int) and not isinstance(epochs, bool):
        words.append(f"for {count_text(epochs, 'epoch')}" if words else count_text(epochs, "epoch"))
        del params["epochs"]
    return " ".join(words)


def repeating_calls(facts: SweepFacts) -> list[tuple[str, str]]:
    """(call, what it does) for somebody who wants the same numbers; no folder of this machine is in them."""
    name = shlex.quote(facts.name)
    calls = []
    if facts.record.imported is None:
        trials = count_text(len(facts.rows), "trial")
        calls.append((f"sweep run SPACE.yaml --name {name}-again", f"the same {trials}, values and winner"))
    if facts.winner is not None:
        number = facts.winner.number
        calls.append((f"sweep show {name} {number}", "the winner, epoch by epoch"))
        calls.append((f"sweep replay {name} {number}", "the winner by plain model.fit, against the record"))
        if facts.card:
            calls.append((f"sweep export {name}", "its model, with its card"))
            calls.append((f"sweep verify {name}.keras", "whether the model's scores still come out"))
    return calls
