"""The JSON Schema allows what the reader allows, as far as a schema can say it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from keras_sweep.space_file.yaml_tree import tree_of_text
from tests.helpers.bad_files import BAD_FILES
from tests.helpers.json_schema import SCHEMA, schema_errors
from tests.helpers.space_texts import DENSE, OURS, WANDB_BLOCK, dense, with_parameters

SPACES = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_space_file_of_the_project_fits(path: Path) -> None:
    assert schema_errors(tree_of_text(path.read_text()).plain) == []


@pytest.mark.parametrize(
    "text",
    [
        OURS + WANDB_BLOCK,
        dense(data="data: {csv: a.csv, target: y, split: {test: 0.1}}"),
        dense(data="data: {npz: a.npz}"),
        dense(data="data: {python: rows:load}"),
        dense(model="model: dense", dense=""),
        dense(model="model: {dense: }", dense=""),
        dense(model="model: {python: a.b:build, width: 3}", dense=""),
        with_parameters(
            "model.hidden: {values: [[64], 32]}", "momentum: {value: 0.9, when: {epochs: [1, 2]}}", "epochs: 3"
        ),
        DENSE + "early_terminate: {type: hyperband, min_iter: 1, eta: 3}\nsplit: {stratify: true}\n",
    ],
)
def test_what_the_reader_takes_fits(text: str) -> None:
    assert schema_errors(tree_of_text(text).plain) == []


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
