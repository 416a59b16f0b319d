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


def test_a_share_of_zero_may_be_recorded_as_a_whole_number() -> None:
    """Records of older versions have the share as the file had it."""
    now = flat(dense(data="data: digits") + "split: {test: 0}\n")
    assert differences({**now, "split.test": 0}, now) == []
    assert differences({**now, "split.test": 0.1}, now) == ["split.test: 0.1 -> 0.0"]
