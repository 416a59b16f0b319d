"""Conditions that can hold are taken, and those that can not are told with what mends them."""

import re
from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.search_space import SearchSpace
from tests.helpers.space_texts import dense, spec_of


def spaced(*lines: str) -> SearchSpace:
    """The space of a file with these further parameters."""
    return spec_of(dense().replace("parameters:\n", "parameters:\n" + "".join(f"  {line}\n" for line in lines))).space


def refused(*lines: str) -> str:
    with pytest.raises(SpaceFileError) as caught:
        spaced(*lines)
    return "\n".join(fault.text(Path("space.yaml")) for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("of", "value", "holds"),
    [
        ("{min: 1, max: 3}", "2", (2,)),
        ("{min: 1, max: 3}", "[1, 3]", (1, 3)),
        ("{values: [1, 2]}", "2", (2,)),
        ("{values: [1, 2]}", "1.0", (1.0,)),
        ("{min: 16, max: 64, q: 16}", "32", (32,)),
        ("{value: 2}", "2", (2,)),
    ],
)
def test_a_condition_on_a_number_that_the_other_may_have_holds(of: str, value: str, holds: tuple[float, ...]) -> None:
    space = spaced(
        f"batch_size: {of}", f"momentum: {{values: [0.5, 0.9], when: {{optimizer: sgd, batch_size: {value}}}}}"
    )
    (momentum,) = [one for one in space.parameters if one.name == "momentum"]
    assert momentum.when[1].values == holds
    assert momentum.active({"optimizer": "sgd", "batch_size": int(holds[0])})
    assert not momentum.active({"optimizer": "sgd", "batch_size": 5})


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [
                "batch_size: {min: 1, max: 3}",
                "amsgrad: {values: [true, false], when: {optimizer: adam, batch_size: 4}}",
            ],
            "`batch_size` never has the value 4",
        ),
        (
            [
                "batch_size: {values: [1, 2]}",
                "amsgrad: {values: [true, false], when: {optimizer: adam, batch_size: true}}",
            ],
            "`batch_size` never has the value true",
        ),
        (["amsgrad: {values: [true, false], when: {optimizer: adm}}"], "never has the value 'adm'.*adam"),
        (["amsgrad: {values: [true, false], when: {optimizr: adam}}"], "names no parameter: there is no 'optimizr'"),
        (
            ["amsgrad: {values: [true, false], when: {optimizer: adam, learning_rate: 0.1}}"],
            "`learning_rate` is continuous, so it hardly ever has one certain value",
        ),
        (["momentum: {min: 0.0, max: 0.9}"], "`momentum` is not an argument of adam.*add `when: {optimizer: "),
        (["momentum: {min: 0.0, max: 0.9, when: {optimizer: adam}}"], "`momentum` is an argument of .*SGD|sgd"),
        (
            ["batch_size: {values: [1, 2], when: {seed: 1}}", "seed: {values: [1, 2], when: {batch_size: 1}}"],
            "conditions must not go in a circle, but got ",
        ),
        (["batch_size: {values: [1, 2], when: {batch_size: 1}}"], "circle, but got batch_size -> batch_size"),
    ],
)
def test_a_condition_that_can_not_hold_is_told(lines: list[str], words: str) -> None:
    assert re.search(words, refused(*lines), re.DOTALL)


def test_an_argument_is_allowed_where_its_conditions_leave_optimizers_that_take_it() -> None:
    lines = ["momentum: {min: 0.0, max: 0.9, when: {optimizer: [sgd, rmsprop]}}"]
    lines += ["nesterov: {values: [true, false], when: {optimizer: sgd}}"]
    assert {one.name for one in spaced(*lines).parameters} >= {"momentum", "nesterov"}
