"""What one value may be: the sentence that says so and the test, both from one rule.

A rule stands in a table (`NumberRule(int, ge=1)`), or `rule_of` makes it from a section's field (`Field(0.2, gt=0)`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from keras_sweep.space.text import did_you_mean, joined, quoted

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

BOUNDS = {
    "ge": ("of at least", "minimum"),
    "gt": ("above", "exclusiveMinimum"),
    "le": ("of at most", "maximum"),
    "lt": ("below", "exclusiveMaximum"),
}  # pydantic's name -> ours in a sentence, JSON Schema's
KINDS = {float: ("a number", "number"), int: ("a whole number", "integer"), bool: ("true or false", "boolean")}


class Rule(ABC):
    """What a value may be. A section's field may be annotated with one: `Annotated[str, rule]`."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it may be, for a sentence after "must be"."""

    @property
    @abstractmethod
    def schema(self) -> Mapping[str, Any]:
        """The same as JSON Schema."""

    @abstractmethod
    def allows(self, value: Any) -> bool:
        """Whether it may have the value."""

    def fault(self, value: object) -> str | None:
        """The sentence on a value that breaks the rule, or None."""
        return None if self.allows(value) else f"must be {self.text}, but got {quoted(value)}"

    def hint(self, value: object) -> str | None:
        """What a value that breaks the rule was likely meant to be."""
        del value
        return None

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """What pydantic calls for the schema of a field that is annotated with the rule."""
        del core_schema, handler
        return dict(self.schema)


@dataclass(frozen=True)
class NumberRule(Rule):
    """A number within bounds; or true or false, which has none."""

    kind: type = float  # float (a whole number will do), int or bool
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    null: bool = False  # `null` may stand for "off"

    @property
    def text(self) -> str:
        """What it may be: "a number from 0 to 1"."""
        noun, _ = KINDS[self.kind]
        if self.ge is not None and self.le is not None:
            bounds = f"from {self.ge:,} to {self.le:,}"
        else:
            bounds = " and ".join(f"{BOUNDS[name][0]} {bound:,}" for name, bound in self._bounds().items())
        return f"{noun} {bounds}".strip() + (", or null" if self.null else "")

    @property
    def schema(self) -> dict[str, Any]:
        """Type and bounds."""
        return {"type": KINDS[self.kind][1], **{BOUNDS[name][1]: bound for name, bound in self._bounds().items()}}

    def _bounds(self) -> dict[str, float]:
        return {name: bound for name in BOUNDS if (bound := getattr(self, name)) is not None}

    def allows(self, value: Any) -> bool:
        """Whether it may have the value."""
        if value is None:
            return self.null
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if not isinstance(value, int if self.kind is int else int | float):
            return False
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )


@dataclass(frozen=True)
class NameRule(Rule):
    """One of some names."""

    names: Collection[str]  # looked at when a value is judged, so that names may be registered later
    noun: str = ""  # "a loss of Keras"; without it the sentence lists the names

    @property
    def text(self) -> str:
        """What it may be: "maximize or minimize"."""
        *most, last = self.names
        return self.noun or f"{joined(most)} or {last}"

    @property
    def schema(self) -> dict[str, Any]:
        """The names."""
        return {"type": "string", "enum": list(self.names)}

    def allows(self, value: Any) -> bool:
        """Whether it is one of the names."""
        return isinstance(value, str) and value in self.names

    def hint(self, value: object) -> str | None:
        """The nearest name; without one all of them, where the sentence does not list them."""
        near = did_you_mean(value, self.names) if isinstance(value, str) else None
        return near or (f"one of {joined(self.names)}" if self.noun else None)


@dataclass(frozen=True)
class ShapeRule(Rule):
    """A value of a certain shape: its words, its test, its schema."""

    words: str
    fits: Callable[[Any], bool]
    json_schema: Mapping[str, Any]

    @property
    def text(self) -> str:
        """What it may be."""
        return self.words

    @property
    def schema(self) -> Mapping[str, Any]:
        """The same as JSON Schema."""
        return self.json_schema

    def allows(self, value: Any) -> bool:
        """Whether it has the shape."""
        return self.fits(value)


def fields_of(section: Any) -> Mapping[str, FieldInfo]:
    """The fields of a section; none where it is another type."""
    fields: Mapping[str, FieldInfo] = getattr(section, "__pydantic_fields__", {})
    return fields


def rule_of(field: FieldInfo) -> Rule:
    """The rule of a section's field: the one in its annotation, or what its type and its bounds say."""
    for constraint in field.metadata:
        if isinstance(constraint, Rule):
            return constraint
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType]
    if get_origin(kinds[0]) is Literal:  # of `Literal[...] | None`
        kinds = list(get_args(kinds[0]))
    if isinstance(kinds[0], str):
        return NameRule(tuple(kinds))
    bounds = {
        name: getattr(constraint, name) for constraint in field.metadata for name in BOUNDS if hasattr(constraint, name)
    }
    return NumberRule(kinds[0], **bounds)
