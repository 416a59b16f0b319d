"""Hints for misspelt names."""

from __future__ import annotations

import pytest

from keras_sweep.space.text import did_you_mean, nearest


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
