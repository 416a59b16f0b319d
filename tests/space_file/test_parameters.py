"""Which values a parameter may have."""

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.sweep_spec import SweepSpec
from tests.helpers.space_texts import dense, spec_of


def read(name: str, value: str, more: str = "") -> SweepSpec:
    text = dense(loss=more) if more else dense()
    kept = "".join(line for line in text.splitlines(True) if not line.startswith(f"  {name}:"))
    return spec_of(kept.replace("parameters:\n", f"parameters:\n  {name}: {value}\n"))


SMOOTHED = "loss: categorical_crossentropy"
FOCAL = "loss: categorical_focal_crossentropy"
HUBER = "loss: huber"


@pytest.mark.parametrize(
    ("name", "least", "below", "more"),
    [
        ("learning_rate", "1e-9", "0.0", ""),
        ("warmup", "0.0", "-0.1", ""),
        ("epochs", "1", "0", ""),
        ("batch_size", "1", "0", ""),
        ("seed", "0", "-1", ""),
        ("loss.label_smoothing", "0.0", "-0.1", SMOOTHED),
        ("loss.alpha", "0.0", "-0.1", FOCAL),
        ("loss.gamma", "0.0", "-0.1", FOCAL),
        ("loss.delta", "1e-9", "0.0", HUBER),
    ],
)
def test_each_parameter_may_have_its_least_value_and_none_below(name: str, least: str, below: str, more: str) -> None:
    assert read(name, least, more).space.constants[name] == float(least)
    with pytest.raises(SpaceFileError, match=f"`{name}`|{name}.*must be"):
        read(name, below, more)


@pytest.mark.parametrize(
    ("name", "most", "above", "more"),
    [
        ("warmup", "0.99", "1.0", ""),
        ("loss.label_smoothing", "0.99", "1.0", SMOOTHED),
        ("seed", str(2**32 - 1), str(2**32), ""),
    ],
)
def test_each_parameter_may_have_its_greatest_value_and_none_above(name: str, most: str, above: str, more: str) -> None:
    assert read(name, most, more).space.constants[name] == float(most)
    with pytest.raises(SpaceFileError, match=f"`{name}`|{name}.*must be"):
        read(name, above, more)
