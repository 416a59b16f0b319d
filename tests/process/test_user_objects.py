import numpy as np
import pytest

from keras_sweep.errors import DataError
from keras_sweep.process.user_objects import (
    display_name,
    get_object,
    is_object_name,
    is_registered,
    register_arrays,
    register_function,
)


def test_a_registered_object_is_found_under_its_name():
    rows = (np.arange(6.0).reshape(3, 2), np.arange(3))
    name = register_arrays(rows)
    assert is_object_name(name)
    assert is_registered(name)
    assert get_object(name)() is rows  # type: ignore[operator]


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
    assert register_arrays((x, y)) == register_arrays((x.copy(), y.copy()))
    assert register_arrays(change(x, y)) != register_arrays((x, y))
    uneven = ([[1], [2, 3]], [0, 1])  # which is left to whoever reads them
    assert register_arrays(uneven) == register_arrays(uneven) != register_arrays(([[1], [2, 4]], [0, 1]))


def test_messages_name_a_registered_object_without_its_digest():
    def load_rows():
        return None

    assert display_name(register_arrays(np.arange(3))) == "the arrays given"
    assert display_name(register_function(load_rows)) == "load_rows"
    assert display_name("plants:load") == "plants:load"


def test_a_function_is_named_by_its_source():
    def build():
        return 1

    first = register_function(build)
    assert get_object(first) is build

    def build():
        return 2

    assert register_function(build) != first


def test_what_this_program_has_not_given_is_refused_with_what_to_do():
    with pytest.raises(DataError, match=r"was defined in a running program.*same Spec"):
        get_object("__program__:build_0", DataError)
