"""Everything that is found wrong or odd in one file, gathered while it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from keras_sweep.errors import Fault
from keras_sweep.space.text import did_you_mean, escaped, joined, quoted
from keras_sweep.space_file.rules import Rule, fields_of, rule_of
from keras_sweep.space_file.yaml_tree import Node

Form = TypeVar("Form")
Path: TypeAlias = tuple[str | int, ...]


class FaultList:
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
        """A rule that the value at a path breaks."""
        self.found.append(self.root.fault(path, rule, hint))

    def warn(self, path: Path, text: str) -> None:
        """Something at a path that is likely a slip."""
        node = self.root.at(*path)
        key = ".".join(escaped(str(part)) for part in path)
        place = f"line {node.line}: " if node.line and node.option is None else ""
        self._warnings.append((node.line or 0, f"{place}{key}: {escaped(text)}"))

    def fits(self, rule: Rule, path: Path, value: object) -> bool:
        """Whether the value at a path keeps the rule; its fault is noted where it does not."""
        fault = rule.fault(value)
        if fault is not None:
            self.fault(path, fault, rule.hint(value))
        return fault is None

    def section(
        self, form: type[Form], path: Path, hints: Mapping[str, str] | None = None, optional: Sequence[str] = ()
    ) -> Form | None:
        """The map at a path as a section, its faults noted; None where it does not fit.

        Keys that are faulty but not needed to judge the others are left out, so that the others are judged too.

        Args:
            form: which fields there are.
            path: where the map stands.
            hints: what to write instead of keys that are not there.
            optional: fields that the others can be judged without.
        """
        node = self.root.at(*path)
        fields = fields_of(form)
        if not isinstance(node.value, dict):
            names = joined(f"`{name}`" for name in fields)
            self.fault(path, f"must be a map with {names}, but got {quoted(node.plain)}")
            return None
        good: dict[str, Any] = {}
        fits = True
        for key, below in node.value.items():
            where = (*path, key)
            if key not in fields:
                self.fault(where, "there is no such key here", (hints or {}).get(key) or unknown(key, fields))
                fits &= did_you_mean(key, set(fields) - set(node.value)) is None  # otherwise that one is left out
            elif fields_of(inner := cast(type[Any], fields[key].annotation)):
                good[key] = self.section(inner, where)
                fits &= good[key] is not None
            elif self.fits(rule_of(fields[key]), where, below.plain):
                good[key] = below.plain
            else:
                fits &= key in optional
        for key, field in fields.items():
            if field.is_required() and key not in node.value:
                self.fault((*path, key), f"`{key}` is missing", field.description)
                fits = False
        return form(**good) if fits else None


def unknown(name: object, known: Any) -> str:
    """The hint for a key that is not known."""
    return did_you_mean(name, known) or f"the keys are {joined(map(str, known))}"
