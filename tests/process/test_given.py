import numpy as np
import pytest

from keras_sweep.errors import DataError
from keras_sweep.process.given import give_arrays, give_function, given, is_given, name_of, was_given


def test_what_was_given_is_found_under_its_name():
    rows = (np.arange(6.0).reshape(3, 2), np.arange(3))
    name = give_arrays(rows)
    assert is_given(name)
    assert was_given(name)
    assert given(name)() is rows  # type: ignore[operator]


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (x.astype(np.float64), y),
        lambda x, y: (x.reshape(2, 3), y),
        lambda x, y: (y, x),
        lambda x, y: {"x": x, "y": y},
        lambda x, y: (x + 1, y),
    ],
)
def test_other_arrays_have_another_name(change):
    x, y = np.arange(6, dtype=np.float32).reshape(3, 2), np.arange(3)
    assert give_arrays((x, y)) == give_arrays((x.copy(), y.copy()))
    assert give_arrays(change(x, y)) != give_arrays((x, y))
    uneven = ([[1], [2, 3]], [0, 1])  # which is left to whoever reads them
    assert give_arrays(uneven) == give_arrays(uneven) != give_arrays(([[1], [2, 4]], [0, 1]))


def test_messages_name_what_was_given_without_its_digest():
    def load_rows():
        return None

    assert name_of(give_arrays(np.arange(3))) == "the arrays given"
    assert name_of(give_function(load_rows)) == "load_rows"
    assert name_of("plants:load") == "plants:load"


def test_a_function_is_named_by_its_source():
    def build():
        return 1

    first = give_function(build)
    assert given(first) is build

    def build():
        return 2

    assert give_function(build) != first


def test_what_this_program_has_not_given_is_refused_with_what_to_do():
    with pytest.raises(DataError, match=r"stands in a Python program.*same Spec"):
        given("__program__:build_0", DataError)
