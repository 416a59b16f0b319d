"""Scores of rows in few bytes, and back."""

import numpy as np

from keras_sweep.trial.row_scores import (
    Kind,
    arrays_digest,
    from_outputs,
    from_values,
)
from keras_sweep.trial.units import Units

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


GROUPS = Units.from_groups(np.array([4, 4, 9, 4, 9, 9]))


def test_units_are_in_the_digest():
    right = np.array([True, False, True, True, False, True])
    others = [None, GROUPS, Units.from_groups(np.array([4, 9, 9, 4, 9, 9])), Units.from_rows(6)]
    assert len({from_values(right, units).digest for units in others}) == 4
    assert (
        from_values(right, Units.from_groups(np.array([0, 0, 1, 0, 1, 1]))).digest == from_values(right, GROUPS).digest
    )
    assert from_outputs(right, right, units=GROUPS).digest != from_outputs(right, right).digest


def test_some_rows_keep_their_units():
    places = np.array([1, 3, 5])
    for scores in (
        from_values(np.arange(6) / 2, GROUPS),
        from_values(np.ones(6), GROUPS),
        from_outputs(np.arange(6.0), np.ones(6), units=GROUPS),
    ):
        some = scores.take(places)
        assert (some.rows, some.units.codes.tolist(), some.units.count) == (3, [0, 0, 1], 2)
    assert from_values(np.ones(6)).take(places).units is None


def test_the_mean_over_models_that_scored_the_same_rows_has_the_units_of_these_rows():
    values = np.array([1, 0, 1, 0, 0.5, 0.25])  # of three rows, by two models
    mean = from_values(values, Units.from_rows(3).repeat(2)).average(2)
    assert mean.values().tolist() == [0.5, 0.25, 0.625]
    assert mean.units is None or (mean.units.are_rows and mean.units.describe() == "3 rows")
    grouped = from_values(values, Units.from_groups(np.array(["a", "b", "a"])).repeat(2)).average(2)
    assert grouped.units.codes.tolist() == [0, 1, 0] and grouped.units.describe() == "3 rows in 2 groups"
    assert from_values(values).average(2).units is None
    scores = from_values(values, GROUPS)
    assert scores.average(1) is scores
    assert from_outputs(values, values).average(2) is None
