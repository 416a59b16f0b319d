"""What a value may be is said in words and in the schema alike, and a section is checked however it is made."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from keras_sweep.space.sweep_spec import SearchSettings, Split
from keras_sweep.space_file.faults import broken, one_of
from keras_sweep.space_file.keras_tables import OPTIMIZERS, Kind, kind_of
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, Loss, Metric
from tests.helpers.json_schema import schema_errors

VALUES = (True, False, -1, 0, 1, 2, 3, 0.0, 0.5, 1.5, 2**32 - 1, 2**32, "a", "mse", "relu", "", [1], [0.5])
KINDS = {**DENSE_ARGUMENTS, **OPTIMIZERS["adam"], "loss": kind_of(Loss), "metric": kind_of(Metric)}


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (float, "a number"),
        (bool, "true or false"),
        (Annotated[int, Field(ge=1)], "a whole number of at least 1"),
        (Annotated[int, Field(ge=1, le=1_000_000)], "a whole number from 1 to 1,000,000"),
        (Annotated[float, Field(ge=0, le=1)], "a number from 0 to 1"),
        (Annotated[float | None, Field(gt=0)], "a number above 0, or null"),
        (Annotated[float, Field(ge=0, lt=1)], "a number of at least 0 and below 1"),
        (Annotated[float, Field(le=0)], "a number of at most 0"),
        (Annotated[str, one_of(("best", "last"))], "best or last"),
        (Annotated[str, one_of(("a", "b", "c"))], "a, b or c"),
        (Annotated[str, one_of(("mse", "mae"), "a loss of Keras")], "a loss of Keras"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_value_may_be_is_said_in_words(annotation: Any, words: str) -> None:
    fault = broken(kind_of(annotation), {})
    assert fault is not None
    assert fault[0] == f"must be {words}, but got an empty map"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_allows_what_its_schema_does(kind: Kind) -> None:
    schema = kind.json_schema()
    assert [broken(kind, value) is None for value in VALUES] == [schema_errors(value, schema) == [] for value in VALUES]


@pytest.mark.parametrize("wrong", [{"validation": 2.0}, {"seed": True}, {"folds": "5"}, {"seeds": 1}])
def test_a_section_is_checked_however_it_is_made(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Split(**wrong)
    with pytest.raises(ValidationError):
        SearchSettings(trials=0)
