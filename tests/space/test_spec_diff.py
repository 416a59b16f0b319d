"""Which differences of two specs are named."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.space.spec_diff import differences, flat_spec
from keras_sweep.space_file.read import read_space_text
from tests.helpers.space_texts import DENSE, dense


def flat(text: str) -> dict[str, object]:
    return flat_spec(read_space_text(text, path=Path("space.yaml")))


def test_a_difference_is_named_by_its_key() -> None:
    other = dense(learning_rate="  learning_rate: {min: 1e-4, max: 0.1, log: true}")
    assert differences(flat(DENSE), flat(other)) == ["parameters.learning_rate.max: 1.0 -> 0.1"]
    assert differences(flat(DENSE), flat(DENSE)) == []
