"""The winner in words."""

from __future__ import annotations

from collections.abc import Sequence

from keras_sweep.space.distributions import Value
from keras_sweep.views.leaderboard.rows import LeaderboardRow, varying_names
from keras_sweep.views.terminal.text import count_text, safe, value_text

MOST_NAMED = 6  # parameters


def headline(winner: LeaderboardRow, rows: Sequence[LeaderboardRow]) -> str:
    """`Adam at 0.000659 for 19 epochs, momentum 0.9`: what differs between the trials, as the winner has it."""
    varying = varying_names(rows)
    params = {name: value for name, value in winner.params.items() if name in varying} or dict(winner.params)
    words = _training_words(params)
    others = [f"{safe(name)} {value_text(value)}" for name, value in params.items()]
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
