"""Collect all faults (mistakes) and warnings of a space file. Turn pydantic's errors into sentences."""

import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

from keras_sweep.errors import Fault
from keras_sweep.space.text import did_you_mean, escape, join, quote
from keras_sweep.space_file.yaml_tree import Node, join_path

Form = TypeVar("Form")
Place: TypeAlias = tuple[str | int, ...]

_NOUNS = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a map",
}
FUNCTION_KEYS = ("function", "func", "callable", "py")  # what users write in place of `python`
MODULE_FUNCTION = "`module:function`"
ARGUMENT_KEYS = ("args", "kwargs", "arguments")  # where users write arguments that belong beside `python`
UNKNOWN_KEY = "this key is not allowed here"
_BOUNDS = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "of at most", "exclusiveMaximum": "below"}


@dataclass(frozen=True, eq=False)
class Rule:
    """Annotates a field of a section with words for its allowed values; messages use them in place of the type."""

    words: str = ""  # follows "must be" in a message: "a loss of Keras"; if "", the message lists the names
    names: Collection[str] | None = None  # all allowed values, read late, since plugins may add more

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        if self.names is not None:
            return core_schema.no_info_plain_validator_function(self._check_name)
        return core_schema.custom_error_schema(
            handler(source), "rule", custom_error_message="{words}", custom_error_context={"words": self.words}
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.names)} if self.names is not None else handler(schema)

    def _check_name(self, name: Any) -> str:
        names = list(self.names or ())
        if isinstance(name, str) and name in names:
            return name
        near = did_you_mean(name, names) if isinstance(name, str) else None
        hint = near or (f"one of {join(names)}" if self.words else None)
        words = self.words or join(names, "or")
        raise PydanticCustomError("rule", "{words}", {"words": words, "hint": hint})


def _describe_schema(schema: Mapping[str, Any]) -> str:
    number, *other = schema.get("anyOf", [schema])
    if "enum" in number:
        return join([f"`{name}`" for name in number["enum"]], "or")
    if "minimum" in number and "maximum" in number:
        bounds = f"from {number['minimum']:,} to {number['maximum']:,}"
    else:
        bounds = " and ".join(f"{words} {number[bound]:,}" for bound, words in _BOUNDS.items() if bound in number)
    noun = "one character" if number.get("maxLength") == 1 else _NOUNS[number["type"]]
    noun = f"`{number['const']}`" if "const" in number else noun
    return f"{noun} {bounds}".strip() + (", or null" if other else "")


def _describe_error(error: Any, schema: Mapping[str, Any]) -> tuple[str, str | None]:
    context = error.get("ctx", {})
    words = context["words"] if error["type"] == "rule" else _describe_schema(schema)
    hint = context.get("hint") or (hint_at_function(error["input"]) if words == MODULE_FUNCTION else None)
    return f"must be {words}, but got {quote(error['input'])}", hint


class Faults:
    """Collects faults and warnings of a space file. `root` is the file's tree: functions with a `Faults` argument read
    their sections from it."""

    def __init__(self, root: Node, folder: Path = Path()) -> None:
        self.root = root
        self.folder = folder  # `python:` modules and relative paths start here
        self.found: list[Fault] = []
        self._warnings: list[tuple[int, str]] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(text for _, text in sorted(self._warnings, key=lambda found: found[0]))

    def has(self, key: str) -> bool:
        return self.root.at(key) is not self.root

    def add(self, path: Place, rule: str, hint: str | None = None) -> None:
        """Add a fault: the value at `path` breaks `rule`. If the value is missing, take the line of the key above."""
        node = self.root.at(*path)
        key, line = join_path(path), node.line
        if node.option is not None:
            key, line = f"{key} (from {escape(node.option)})", None
        self.found.append(Fault(rule, key, line, hint))

    def warn(self, path: Place, text: str) -> None:
        node = self.root.at(*path)
        line = node.line if node.option is None else None
        place = f"line {line}: " if line else ""
        self._warnings.append((line or 0, f"{place}{join_path(path)}: {escape(text)}"))

    def check_value(self, kind: TypeAdapter[Any], path: Place, value: object) -> bool:
        """Return whether the validator `kind` allows the value at `path`. If not, add the faults."""
        try:
            kind.validate_python(value)
        except ValidationError as error:
            schema = kind.json_schema()
            for detail in error.errors():
                self.add((*path, *detail["loc"]), *_describe_error(detail, schema))
            return False
        return True

    def read_section(
        self, form: type[Form], path: Place, hints: Mapping[str, str] | None = None, apart: Collection[str] = ()
    ) -> Form | None:
        """Read the map at `path` into a section of the class `form`, and add its faults. Faulty keys, and all keys of a
        missing section, get defaults. Return None if the value is not a map, or lacks a required key. `hints` maps an
        unknown key to what to write instead. Keys in `apart` are ignored: the caller reads them."""
        if not self.has(str(path[0])):
            return form()
        fields, values = get_fields(form), self.root.at(*path).plain
        if not isinstance(values, dict):
            names = join(f"`{name}`" for name in fields)
            self.add(path, f"must be a map with {names}, but got {quote(values)}")
            return None
        values = {key: value for key, value in values.items() if key not in apart}
        try:
            return form(**values)
        except ValidationError as error:
            errors = {str(detail["loc"][0]): detail for detail in error.errors(include_url=False)}
        properties = TypeAdapter(form).json_schema()["properties"]
        for key, detail in errors.items():
            if detail["type"] == "missing":
                near = hint_at_python(values) if key == "python" else None
                self.add((*path, key), f"`{key}` is missing", near or fields[key].description)
            elif detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
                hint = (hints or {}).get(key) or hint_at_key(key, fields)
                self.add((*path, key), UNKNOWN_KEY, hint)
            else:
                self.add((*path, key), *_describe_error(detail, properties.get(key, {})))
        with contextlib.suppress(ValidationError):
            return form(**{key: value for key, value in values.items() if key not in errors})
        return None


def get_fields(section: Any) -> Mapping[str, FieldInfo]:
    fields: Mapping[str, FieldInfo] = section.__pydantic_fields__
    return fields


def hint_at_key(name: object, known: Collection[str]) -> str:
    return did_you_mean(name, known) or f"choose from {join(known)}"


def hint_at_python(section: object) -> str | None:
    """Return a hint if a map has another key in place of `python`."""
    keys = section if isinstance(section, Mapping) else {}
    found = next((key for key in keys if key in FUNCTION_KEYS and ":" in str(keys[key])), None)
    return None if found is None else f"did you mean `python: {hint_name(keys[found])}`?"


def hint_at_function(source: object) -> str | None:
    """Return a hint if a text names a function by its file or with a dot: "model.py:build", "model.build"."""
    name = hint_name(source)
    return f"did you mean `{name}`?" if name != source else None


def hint_at_map(source: object) -> str | None:
    """Return a hint if a text is a function, "module:function", where a map with `python` has it."""
    return f"did you mean `python: {hint_name(source)}`?" if isinstance(source, str) and ":" in source else None


def hint_name(source: object) -> str:
    """Return the form "module:function" of a text that names a function in another form, as far as it is known."""
    module, colon, function = str(source).partition(":")
    if not colon and not module.endswith(".py"):
        module, _, function = module.rpartition(".")
    module = re.sub(r"[/\\\\]+", ".", module.removeprefix("./").removesuffix(".py"))
    return f"{module}:{function}" if module and function else str(source)
