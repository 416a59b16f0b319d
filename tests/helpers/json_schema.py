"""What an editor would mark in a space file, by its JSON Schema."""

from typing import Any

from jsonschema import Draft202012Validator

from keras_sweep.space_file.sections import space_file_schema

SCHEMA = space_file_schema()


def schema_errors(value: Any, schema: Any = SCHEMA) -> list[str]:
    """What breaks the schema, or a part of it."""
    checked = Draft202012Validator({"$defs": SCHEMA["$defs"], **schema})
    return [error.message for error in checked.iter_errors(value)]
