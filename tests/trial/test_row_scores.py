"""Scores of rows in few bytes, and back."""

import numpy as np

from keras_sweep.trial.row_scores import (
    Kind,
    arrays_digest,
    from_outputs,
    from_values,
)

RIGHT = np.random.default_rng(0).random(12_001) < 0.85


def test_right_and_wrong_take_a_bit_a_row():
    scores = from_values(RIGHT)
    assert scores.kind is Kind.BITS
    assert scores.arrays[0].nbytes == 1501
    assert (scores.values() == RIGHT).all()


def test_losses_and_shares_of_right_answers_stay_numbers():
    scores = from_values(np.array([0.5, 1.0, 0.0]))
    assert scores.kind is Kind.VALUES
    assert scores.values().tolist() == [0.5, 1.0, 0.0]


def test_scores_of_some_rows_are_those_of_all_at_these_places():
    places = np.array([0, 7, 12_000])
    for values in (RIGHT, RIGHT * 0.5):
        some = from_values(values).take(places)
        assert some.rows == 3 and some.values().tolist() == values[places].tolist()
    outputs = from_outputs(np.arange(6.0).reshape(3, 2), np.ones(3)).take(np.array([2, 0]))
    assert outputs.kind is Kind.OUTPUTS and outputs.arrays[0].tolist() == [[4, 5], [0, 1]]


def test_a_digest_tells_any_two_apart():
    other = RIGHT.copy()
    other[-1] ^= True
    all_scores = [from_values(RIGHT), from_values(other), from_values(RIGHT * 0.5), from_outputs(RIGHT, RIGHT)]
    assert len({one.digest for one in all_scores}) == 4
    assert from_values(RIGHT).digest == from_values(RIGHT.astype(np.float32)).digest


def test_outputs_labels_and_weights_are_kept_as_they_lie_in_rows():
    outputs = np.arange(6.0).reshape(2, 3).T
    scores = from_outputs(outputs, np.ones(3), np.array([1, 2, 3]))
    assert (scores.kind, scores.rows) == (Kind.OUTPUTS, 3)
    assert [part.dtype for part in scores.arrays] == [np.float32] * 3
    assert scores.arrays[0].tolist() == outputs.tolist()
    assert all(part.flags.c_contiguous for part in scores.arrays)


def test_a_digest_is_of_types_shapes_and_values_however_they_lie_in_memory():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    same = arrays_digest([array.T.copy().T])
    assert arrays_digest([array]) == same != arrays_digest([array], "head")
    for other in (array.reshape(3, 2), array.astype(np.float64), array + 1, array.T):
        assert arrays_digest([other]) != same
    assert from_values(np.array([1, 0])).digest.startswith("bits:")
    assert from_values(np.array([True, False])).kind is Kind.BITS
