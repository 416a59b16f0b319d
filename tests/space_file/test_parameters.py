"""Which values a parameter may have."""

import pytest

from keras_sweep.errors import SpaceFileError
from tests.helpers.space_texts import spec_of, with_parameters

FOCAL = "categorical_focal_crossentropy"
LOSSES = {"loss.label_smoothing": FOCAL, "loss.alpha": FOCAL, "loss.gamma": FOCAL, "loss.delta": "huber"}


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("learning_rate", ["1e-9"], ["0.0"]),
        ("warmup", ["0.0", "0.99"], ["-0.1", "1.0"]),
        ("epochs", ["1"], ["0"]),
        ("batch_size", ["1"], ["0"]),
        ("seed", ["0", str(2**32 - 1)], ["-1", str(2**32)]),
        ("loss.label_smoothing", ["0.0", "0.99"], ["-0.1", "1.0"]),
        ("loss.alpha", ["0.0"], ["-0.1"]),
        ("loss.gamma", ["0.0"], ["-0.1"]),
        ("loss.delta", ["1e-9"], ["0.0"]),
    ],
)
def test_each_parameter_may_have_its_ends_and_none_beyond(name: str, allowed: list[str], refused: list[str]) -> None:
    for value in (*allowed, *refused):
        text = with_parameters(f"{name}: {value}")
        text = text.replace("sparse_categorical_crossentropy", LOSSES.get(name, "mse"))
        if value in allowed:
            assert spec_of(text).space.constants[name] == float(value)
        else:
            with pytest.raises(SpaceFileError, match=f"`{name}`|{name}.*must be"):
                spec_of(text)
