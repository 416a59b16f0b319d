"""The JSON Schema allows what the reader allows, as far as a schema can say it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.space_file.schema import space_file_schema
from keras_sweep.space_file.yaml_tree import tree_of_text
from tests.helpers.space_texts import DENSE, dense, with_parameters
from tests.space_file.test_bad_files import BAD
from tests.space_file.test_wandb_blocks import BLOCK, OURS

SCHEMA = space_file_schema()
SPACES = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))
TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
NOTES = {"title", "description", "examples", "default", "$schema", "$defs"}


def errors(value: Any, schema: Any = SCHEMA, path: str = "") -> list[str]:
    """What breaks the schema: the part of JSON Schema that ours uses, and a failure where it uses another."""
    found: list[str] = []
    for word, rule in schema.items():
        if word in NOTES or (
            word in ("properties", "patternProperties", "items") and not isinstance(value, dict | list)
        ):
            continue
        match word:
            case "$ref":
                found += errors(value, SCHEMA["$defs"][rule.rsplit("/", 1)[1]], path)
            case "type":
                if not any(TYPES[kind](value) for kind in ([rule] if isinstance(rule, str) else rule)):
                    found.append(f"{path}: {value!r} is no {rule}")
            case "enum":
                if value not in rule:
                    found.append(f"{path}: {value!r} is none of {rule}")
            case "const":
                if value != rule:
                    found.append(f"{path}: {value!r} is not {rule}")
            case "anyOf":
                if all(errors(value, option, path) for option in rule):
                    found.append(f"{path}: {value!r} fits none")
            case "properties" if isinstance(value, dict):
                for key, below in rule.items():
                    found += errors(value[key], below, f"{path}.{key}") if key in value else []
            case "patternProperties" if isinstance(value, dict):
                for pattern, below in rule.items():
                    for key in value:
                        found += errors(value[key], below, f"{path}.{key}") if re.search(pattern, key) else []
            case "additionalProperties" if isinstance(value, dict):
                known = schema.get("properties", {})
                patterns = schema.get("patternProperties", {})
                others = [key for key in value if key not in known and not any(re.search(p, key) for p in patterns)]
                for key in others:
                    found += [f"{path}.{key}: unknown"] if rule is False else []
                    found += errors(value[key], rule, f"{path}.{key}") if isinstance(rule, dict) else []
            case "additionalProperties":
                pass
            case "items" if isinstance(value, list):
                for index, item in enumerate(value):
                    found += errors(item, rule, f"{path}.{index}")
            case "items":
                pass
            case "required":
                found += [f"{path}: {key} is missing" for key in rule if isinstance(value, dict) and key not in value]
            case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
                if TYPES["number"](value):
                    inside = {
                        "minimum": value >= rule,
                        "exclusiveMinimum": value > rule,
                        "maximum": value <= rule,
                        "exclusiveMaximum": value < rule,
                    }
                    found += [] if inside[word] else [f"{path}: {value} breaks {word} {rule}"]
            case "minLength" | "minItems" | "minProperties":
                sized = {"minLength": str, "minItems": list, "minProperties": dict}[word]
                found += [f"{path}: too short"] if isinstance(value, sized) and len(value) < rule else []
            case "pattern":
                found += [f"{path}: no match"] if isinstance(value, str) and not re.search(rule, value) else []
            case _:
                raise AssertionError(f"the schema uses {word}")
    return found


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_space_file_of_the_project_fits(path: Path) -> None:
    assert errors(tree_of_text(path.read_text()).plain) == []


@pytest.mark.parametrize(
    "text",
    [
        OURS + BLOCK,
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
    assert errors(tree_of_text(text).plain) == []


@pytest.mark.parametrize(
    "name",
    [
        "an unknown key",
        "no data",
        "unknown data",
        "no target",
        "two sources",
        "a share of 1",
        "unknown activation",
        "no units",
        "unknown loss",
        "unknown metric",
        "one metric",
        "an unknown goal",
        "unknown parameter",
        "misspelt max",
        "a distribution we lack",
        "q of zero",
        "unknown engine",
        "no trials",
        "unknown stop",
        "eta of 1",
    ],
)
def test_an_editor_marks_a_bad_file(name: str) -> None:
    assert errors(tree_of_text(BAD[name][0]).plain) != []


def test_the_schema_is_json_and_says_what_keys_are_for() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    rate = SCHEMA["properties"]["parameters"]["properties"]["learning_rate"]
    assert rate["description"] == "an argument of every optimizer"
    assert errors(rate["examples"][0], rate) == []
    assert SCHEMA["additionalProperties"] is False
    assert "of muon, rmsprop, sgd" in SCHEMA["properties"]["parameters"]["properties"]["momentum"]["description"]
