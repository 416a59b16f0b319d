"""Which differences of two specs are named."""

from __future__ import annotations

from keras_sweep.space.spec_diff import differences, flat_spec
from tests.helpers.space_texts import DENSE, dense, spec_of


def flat(text: str) -> dict[str, object]:
    return flat_spec(spec_of(text))


def test_a_difference_is_named_by_its_key() -> None:
    other = dense(learning_rate="  learning_rate: {min: 1e-4, max: 0.1, log: true}")
    assert differences(flat(DENSE), flat(other)) == ["parameters.learning_rate.max: 1.0 -> 0.1"]
    assert differences(flat(DENSE), flat(DENSE)) == []
