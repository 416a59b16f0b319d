"""The JSON Schema of a space file, so that an editor completes and checks it while one types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import create_model

from keras_sweep.space.text import joined
from keras_sweep.space_file.keras_tables import ARGUMENTS, OPTIMIZERS, optimizers_with
from keras_sweep.space_file.read import PASSED_OVER
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, SpaceFile, data_section

_EXAMPLES: Mapping[str, Any] = {
    "optimizer": {"values": ["sgd", "rmsprop", "adam"]},
    "learning_rate": {"min": 1e-4, "max": 1.0, "log": True},
    "epochs": {"min": 1, "max": 20},
    "batch_size": {"values": [32, 64, 128]},
    "momentum": {"min": 0.0, "max": 0.9, "when": {"optimizer": "sgd"}},
}
_OURS: Mapping[str, str] = {
    "optimizer": f"optimizers of Keras: {joined(OPTIMIZERS)}",
    "epochs": "how long a trial trains; `take: best` trains all to the maximum and scores the best epoch",
    "batch_size": "rows of one step",
    "seed": "of initial weights and data order",
}


def space_file_schema() -> dict[str, Any]:
    """The schema (draft 2020-12)."""
    whole = create_model("SpaceFile", __base__=SpaceFile, __doc__=SpaceFile.__doc__, data=(data_section(), ...))
    schema = whole.model_json_schema()
    for name in PASSED_OVER:
        schema["properties"][name] = {"description": "a key of a W&B sweep file, which is passed over"}
    names = {
        **_OURS,
        **{name: _taken_by(name) for name in ARGUMENTS},
        **{f"model.{name}": "an argument of the dense model" for name in DENSE_ARGUMENTS},
    }
    parameter = schema["properties"]["parameters"].pop("additionalProperties")
    properties = {name: {**parameter, "description": text} for name, text in names.items()}
    for name, example in _EXAMPLES.items():
        properties[name]["examples"] = [example]
    schema["properties"]["parameters"].update(
        properties=properties,
        patternProperties={r"^model\.[A-Za-z_]\w*$": parameter},
        additionalProperties=False,
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "keras-sweep space file"}


def _taken_by(argument: str) -> str:
    takers = optimizers_with(argument)
    return f"an argument of {'every optimizer' if len(takers) == len(OPTIMIZERS) else joined(takers)}"
