"""Text of others steers no terminal, and misspelt names get a hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.space.text import did_you_mean, escaped, nearest


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("learnin_rate", ["learning_rate"], "learning_rate"),  # a letter left out
        ("epochss", ["epochs"], "epochs"),  # put in
        ("batch-size", ["batch_size"], "batch_size"),  # changed
        ("learnign_rate", ["learning_rate"], "learning_rate"),  # swapped with the next
        ("lerning_ratee", ["learning_rate"], "learning_rate"),  # two slips
        ("MSE", ["mae", "mse"], "mse"),
        ("sgdd", ["adagrad", "sgd"], "sgd"),
        ("max", ["max", "may"], "max"),
    ],
)
def test_a_name_with_one_or_two_slips_is_known(name: str, known: list[str], meant: str) -> None:
    assert nearest(name, known) == meant
    assert did_you_mean(name, known) == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("decay", ["weight_decay"]),
        ("mode", ["model.l2", "momentum"]),
        ("loss", ["loss_scale_factor"]),
        ("rmsprop_weight_decay", ["adam_weight_decay"]),
        ("lerning_raet", ["learning_rates"]),
        ("fast", ["fit"]),  # as near to any other
        ("lr", ["l2", "r"]),
        ("", ["a"]),
    ],
)
def test_a_name_that_is_no_slip_of_another_gives_no_hint(name: str, known: list[str]) -> None:
    assert did_you_mean(name, known) is None


@given(st.text(st.characters(categories=None)))  # every code point, lone surrogates too
def test_escaped_text_steers_no_terminal_and_can_be_encoded(text: str) -> None:
    written = escaped(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in written)
    assert not set(written) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")
    written.encode("utf-8")


def test_escaped_text_leaves_ordinary_writing_alone() -> None:
    for text in ("adam", "größe", "学習率", "[red]x[/red]", "👩\u200d🔬"):
        assert escaped(text) == text
    assert escaped("\x1b[31mred\nline") == "\\x1b[31mred\\nline"
