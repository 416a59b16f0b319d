"""What a value may be is said in words and in the schema alike, and the schema allows what the reader allows."""

import json
import re
from typing import Annotated, Any

import pytest
from pydantic import Field

from keras_sweep.space_file.faults import Faults, Rule
from keras_sweep.space_file.keras_tables import ARGUMENTS, OPTIMIZERS, Kind, make_kind
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, Loss, Metric
from keras_sweep.space_file.yaml_tree import Node, parse_yaml
from tests.helpers.bad_files import BAD_FILES, FUNCTION
from tests.helpers.space_texts import DENSE, SCHEMA, schema_errors

DENSE_PLAIN = parse_yaml(DENSE).plain
BAD = """unknown data, no target, two sources, a share of 1, unknown activation, no units, unknown loss, unknown metric
one metric, an unknown goal, unknown engine, no trials, unknown stop, eta of 1, an unknown key, no data
unknown parameter, misspelt max, a distribution we lack, q of zero, data beside an objective
an objective in no form"""


@pytest.mark.parametrize("name", re.split(", |\n", BAD))
def test_an_editor_marks_what_the_reader_refuses(name: str) -> None:
    assert schema_errors(parse_yaml(BAD_FILES[name][0]).plain) != []


def test_an_objective_takes_the_place_of_data_and_model_and_names_its_parameters() -> None:
    plain = parse_yaml(FUNCTION).plain
    assert schema_errors(plain) == [] and schema_errors({**plain, "model": "dense"}) != []
    assert schema_errors({**DENSE_PLAIN, "parameters": {"x": 1}}) != []


def test_the_schema_is_json_and_says_what_keys_are_for() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    parameters = SCHEMA["properties"]["parameters"]["properties"]
    assert parameters["weight_decay"]["description"] == "an argument of every optimizer"
    assert SCHEMA["additionalProperties"] is False
    assert "of muon, rmsprop, sgd" in parameters["momentum"]["description"]


VALUES = (True, False, -1, 0, 1, 2, 3, 0.0, 0.5, 1.5, 2**32 - 1, 2**32, "a", "mse", "relu", "", [1], [0.5])
ADAM = {name: ARGUMENTS[name] for name in OPTIMIZERS["adam"]}
KINDS = {**DENSE_ARGUMENTS, **ADAM, "loss": make_kind(Loss), "metric": make_kind(Metric)}


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (float, "a number"),
        (bool, "true or false"),
        (Annotated[int, Field(ge=1)], "a whole number of at least 1"),
        (Annotated[int, Field(ge=1, le=1_000_000)], "a whole number from 1 to 1,000,000"),
        (Annotated[float | None, Field(gt=0)], "a number above 0, or null"),
        (Annotated[float, Field(ge=0, lt=1)], "a number of at least 0 and below 1"),
        (Annotated[float, Field(le=0)], "a number of at most 0"),
        (Annotated[str, Rule(names=("best", "last"))], "best or last"),
        (Annotated[str, Rule("a loss of Keras", ("mse", "mae"))], "a loss of Keras"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_value_may_be_is_said_in_words(annotation: Any, words: str) -> None:
    faults = Faults(Node({}))
    assert not faults.check_value(make_kind(annotation), (), {})
    assert faults.found[0].rule == f"must be {words}, but got an empty map"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_allows_what_its_schema_does(kind: Kind) -> None:
    schema = kind.json_schema()
    faults = Faults(Node({}))
    assert [faults.check_value(kind, (), value) for value in VALUES] == [
        schema_errors(value, schema) == [] for value in VALUES
    ]
