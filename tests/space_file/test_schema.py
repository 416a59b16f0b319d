"""The JSON Schema allows what the reader allows, as far as a schema can say it."""

from __future__ import annotations

import json
import re

import pytest

from keras_sweep.space_file.yaml_tree import tree_of_text
from tests.helpers.bad_files import BAD_FILES
from tests.helpers.json_schema import SCHEMA, schema_errors

BAD = """unknown data, no target, two sources, a share of 1, unknown activation, no units, unknown loss, unknown metric
one metric, an unknown goal, unknown engine, no trials, unknown stop, eta of 1, an unknown key, no data
unknown parameter, misspelt max, a distribution we lack, q of zero"""


@pytest.mark.parametrize("name", re.split(", |\n", BAD))
def test_an_editor_marks_what_the_reader_refuses(name: str) -> None:
    assert schema_errors(tree_of_text(BAD_FILES[name][0]).plain) != []


def test_the_schema_is_json_and_says_what_keys_are_for() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    rate = SCHEMA["properties"]["parameters"]["properties"]["learning_rate"]
    assert rate["description"] == "an argument of every optimizer"
    assert schema_errors(rate["examples"][0], rate) == []
    assert SCHEMA["additionalProperties"] is False
    assert "of muon, rmsprop, sgd" in SCHEMA["properties"]["parameters"]["properties"]["momentum"]["description"]
