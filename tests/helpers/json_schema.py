"""The part of JSON Schema that the schema of space files uses."""

from __future__ import annotations

import re
from typing import Any

from keras_sweep.space_file.sections import space_file_schema

SCHEMA = space_file_schema()
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


def schema_errors(value: Any, schema: Any = SCHEMA, path: str = "") -> list[str]:
    """What breaks the schema: the part of JSON Schema that ours uses, and a failure where it uses another."""
    found: list[str] = []
    for word, rule in schema.items():
        if word in NOTES or (
            word in ("properties", "patternProperties", "items") and not isinstance(value, dict | list)
        ):
            continue
        match word:
            case "$ref":
                found += schema_errors(value, SCHEMA["$defs"][rule.rsplit("/", 1)[1]], path)
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
                if all(schema_errors(value, option, path) for option in rule):
                    found.append(f"{path}: {value!r} fits none")
            case "properties" if isinstance(value, dict):
                for key, below in rule.items():
                    found += schema_errors(value[key], below, f"{path}.{key}") if key in value else []
            case "patternProperties" if isinstance(value, dict):
                for pattern, below in rule.items():
                    for key in value:
                        found += schema_errors(value[key], below, f"{path}.{key}") if re.search(pattern, key) else []
            case "additionalProperties" if isinstance(value, dict):
                known = schema.get("properties", {})
                patterns = schema.get("patternProperties", {})
                others = [key for key in value if key not in known and not any(re.search(p, key) for p in patterns)]
                for key in others:
                    found += [f"{path}.{key}: unknown"] if rule is False else []
                    found += schema_errors(value[key], rule, f"{path}.{key}") if isinstance(rule, dict) else []
            case "additionalProperties":
                pass
            case "items" if isinstance(value, list):
                for index, item in enumerate(value):
                    found += schema_errors(item, rule, f"{path}.{index}")
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
