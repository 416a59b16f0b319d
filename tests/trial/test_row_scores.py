"""Scores of rows in few bytes, and back."""

import numpy as np
import pytest

from keras_sweep.trial.row_scores import Kind, checked, of_outputs, of_values

RIGHT = np.random.default_rng(0).random(12_001) < 0.85


def test_right_and_wrong_take_a_bit_a_row():
    scores = of_values(RIGHT)
    assert scores.kind is Kind.BITS
    assert scores.arrays[0].nbytes == 1501
    assert (scores.values() == RIGHT).all()


def test_losses_and_shares_of_right_answers_stay_numbers():
    scores = of_values(np.array([0.5, 1.0, 0.0]))
    assert scores.kind is Kind.VALUES
    assert scores.values().tolist() == [0.5, 1.0, 0.0]


def test_a_digest_tells_any_two_apart():
    other = RIGHT.copy()
    other[-1] ^= True
    all_scores = [of_values(RIGHT), of_values(other), of_values(RIGHT * 0.5), of_outputs(RIGHT, RIGHT)]
    assert len({one.digest for one in all_scores}) == 4
    assert of_values(RIGHT).digest == of_values(RIGHT.astype(np.float32)).digest


@pytest.mark.parametrize(
    ("kind", "rows", "arrays"),
    [
        ("bits", 9, (np.zeros(1, np.uint8),)),
        ("bits", 8, (np.zeros((1, 4), np.uint8),)),
        ("values", 3, (np.zeros(3, np.float64),)),
        ("values", 3, ()),
        ("outputs", 3, (np.zeros((3, 2), np.float32),)),
        ("votes", 3, (np.zeros(3, np.float32),)),
    ],
)
def test_what_is_not_of_its_form_is_refused(kind, rows, arrays):
    with pytest.raises(ValueError, match=r"scores of|is not a valid"):
        checked(kind, rows, arrays)
