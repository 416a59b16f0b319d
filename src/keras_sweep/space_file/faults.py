"""Everything that is found wrong or odd in one file, gathered while it is read; pydantic's errors as sentences."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

from keras_sweep.errors import Fault
from keras_sweep.space.text import did_you_mean, escaped, joined, quoted
from keras_sweep.space_file.yaml_tree import Node, dotted

Form = TypeVar("Form")
Path: TypeAlias = tuple[str | int, ...]
Schema: TypeAlias = Mapping[str, Any]

_NOUNS = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "string": "text"}
_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}


@dataclass(frozen=True, eq=False)
class Rule:
    """What a value may be beside a number within bounds. A section's field is annotated with one."""

    words: str  # after "must be"; "" lists the names
    allows: Callable[[Any], bool]
    schema: Schema
    names: Collection[str] | None = None  # looked at when they are asked for: more may be registered by then

    def checked(self, value: Any) -> Any:
        """The value. Raises the error that `_sentence` reads."""
        if self.allows(value):
            return value
        words = self.words
        if not words:
            *most, last = self.names or ()
            words = f"{joined(most)} or {last}"
        raise PydanticCustomError("rule", "{words}", {"words": words, "hint": self.hint(value)})

    def hint(self, value: Any) -> str | None:
        """What a value that is not allowed was likely meant to be."""
        if self.names is None:
            return None
        near = did_you_mean(value, self.names) if isinstance(value, str) else None
        return near or (f"one of {joined(self.names)}" if self.words else None)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """What pydantic checks a field by that is annotated with the rule."""
        return core_schema.no_info_plain_validator_function(self.checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """What pydantic takes into the JSON Schema for it."""
        return {**self.schema, **({} if self.names is None else {"enum": list(self.names)})}


def one_of(names: Collection[str], noun: str = "") -> Rule:
    """One of some names. `noun` is said of them, "a loss of Keras"; without it the sentence lists the names."""
    return Rule(noun, lambda value: isinstance(value, str) and value in names, {"type": "string"}, names)


def _words(schema: Schema) -> str:
    """What a value may be by its JSON Schema: "a whole number from 1 to 100"."""
    number, *other = schema.get("anyOf", [schema])
    if "minimum" in number and "maximum" in number:
        bounds = f"from {number['minimum']:,} to {number['maximum']:,}"
    else:
        bounds = " and ".join(f"{words} {number[bound]:,}" for bound, words in _BOUNDS.items() if bound in number)
    return f"{_NOUNS[number['type']]} {bounds}".strip() + (", or null" if other else "")


def broken(kind: TypeAdapter[Any], value: object) -> tuple[str, str | None] | None:
    """The rule that a value breaks, and a hint; None where the kind allows it."""
    try:
        kind.validate_python(value)
    except ValidationError as error:
        return _sentence(error.errors()[0], kind.json_schema())
    return None


def _sentence(error: Any, schema: Schema) -> tuple[str, str | None]:
    """The rule that pydantic found broken, and a hint."""
    context = error.get("ctx", {})
    words = context["words"] if error["type"] == "rule" else _words(schema)
    return f"must be {words}, but got {quoted(error['input'])}", context.get("hint")


class Faults:
    """Faults and warnings about a tree."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.found: list[Fault] = []
        self._warnings: list[tuple[int, str]] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, in the order of the file."""
        return tuple(text for _, text in sorted(self._warnings, key=lambda found: found[0]))

    def has(self, key: str) -> bool:
        """Whether the file has a section."""
        return isinstance(self.root.value, dict) and key in self.root.value

    def fault(self, path: Path, rule: str, hint: str | None = None) -> None:
        """A rule that the value at a path breaks, told with the line (or option) of the nearest node that exists."""
        node = self.root.at(*path)
        key, line = dotted(path), node.line
        if node.option is not None:
            key, line = f"{key} (from {escaped(node.option)})", None
        self.found.append(Fault(rule, key, line, hint))

    def warn(self, path: Path, text: str) -> None:
        """Something at a path that is likely a slip."""
        node = self.root.at(*path)
        place = f"line {node.line}: " if node.line and node.option is None else ""
        self._warnings.append((node.line or 0, f"{place}{dotted(path)}: {escaped(text)}"))

    def fits(self, kind: TypeAdapter[Any], path: Path, value: object) -> bool:
        """Whether the value at a path is of the kind; its fault is noted where it is not."""
        fault = broken(kind, value)
        if fault is not None:
            self.fault(path, *fault)
        return fault is None

    def section(
        self,
        form: type[Form],
        path: Path,
        hints: Mapping[str, str] | None = None,
        optional: Collection[str] = (),
    ) -> Form | None:
        """The map at a path as a section, its faults noted; None where it does not fit. Left out it has its defaults.

        Keys that are faulty but not needed to judge the others are left out, so that the others are judged too.

        Args:
            form: which fields there are.
            path: where the map stands.
            hints: what to write instead of keys that are not there.
            optional: fields that the others can be judged without.
        """
        if not self.has(str(path[0])):
            return form()
        node = self.root.at(*path)
        fields, values = fields_of(form), node.plain
        if not isinstance(values, dict):
            names = joined(f"`{name}`" for name in fields)
            self.fault(path, f"must be a map with {names}, but got {quoted(values)}")
            return None
        try:
            return form(**values)
        except ValidationError as error:
            broken_keys = {str(each["loc"][0]): each for each in error.errors(include_url=False)}
        judged = True
        properties = TypeAdapter(form).json_schema()["properties"]
        for key, each in broken_keys.items():
            if each["type"] == "missing":
                self.fault((*path, key), f"`{key}` is missing", fields[key].description)
                judged = False
            elif key not in fields:
                hint = (hints or {}).get(key) or unknown(key, fields)
                self.fault((*path, key), "there is no such key here", hint)
                judged &= did_you_mean(key, set(fields) - set(values)) is None  # otherwise that one is left out
            else:
                self.fault((*path, key), *_sentence(each, properties[key]))
                judged &= key in optional
        return form(**{key: value for key, value in values.items() if key not in broken_keys}) if judged else None


def fields_of(section: Any) -> Mapping[str, FieldInfo]:
    """The fields of a section."""
    fields: Mapping[str, FieldInfo] = section.__pydantic_fields__
    return fields


def unknown(name: object, known: Collection[str]) -> str:
    """The hint for a key that is not known."""
    return did_you_mean(name, known) or f"the keys are {joined(known)}"
