"""Everything that is found wrong or odd in one file, gathered while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from keras_sweep.errors import Fault
from keras_sweep.space.plain_text import did_you_mean, listed, plain, shown
from keras_sweep.space_file.yaml_tree import Node

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

Path: TypeAlias = tuple[str | int, ...]


class Findings:
    """Faults and warnings about a tree."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.faults: list[Fault] = []
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
        self.faults.append(self.root.fault(path, rule, hint))

    def warn(self, path: Path, text: str) -> None:
        """Something at a path that is likely a slip."""
        node = self.root.at(*path)
        key = ".".join(plain(str(part)) for part in path)
        place = f"line {node.line}: " if node.line and node.option is None else ""
        self._warnings.append((node.line or 0, f"{place}{key}: {plain(text)}"))

    def block(
        self,
        model: type[Model],
        path: Path,
        hints: dict[str, str] | None = None,
        optional: tuple[str, ...] = (),
    ) -> Model | None:
        """The map at a path as a model, its faults noted; None where it does not fit.

        Keys that are faulty but not needed to judge the others are left out, so that the others are judged too.

        Args:
            model: the shape.
            path: where the map stands.
            hints: what to write instead of keys that are not there.
            optional: keys of the model that the others can be judged without.
        """
        from pydantic import ValidationError

        node = self.root.at(*path)
        if not isinstance(node.value, dict):
            self.fault(path, f"must be a map with {_keys(model)}, but got {shown(node.plain)}")
            return None
        try:
            return model.model_validate(node.plain)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        for found in faults:
            self._note(model, path, found, hints or {})
        given = {str(key) for key in node.value} & set(model.model_fields)
        for found in faults:
            key = str(found["loc"][0])
            misspelt = did_you_mean(key, set(model.model_fields) - given)
            if not (
                key in optional or (found["type"] == "extra_forbidden" and len(found["loc"]) == 1 and not misspelt)
            ):
                return None
        faulty = {str(found["loc"][0]) for found in faults}
        return model.model_validate({key: value for key, value in node.plain.items() if key not in faulty})

    def _note(self, model: type[BaseModel], path: Path, found: Any, hints: dict[str, str]) -> None:
        where: Path = (*path, *found["loc"])
        name = str(where[-1])
        if found["type"] == "extra_forbidden":
            below = _block_at(model, found["loc"][:-1])
            self.fault(where, "there is no such key here", hints.get(name) or unknown(name, below.model_fields))
        elif found["type"] == "missing":
            self.fault(where, f"`{name}` is missing", _description(model, name))
        elif found["type"] == "rule":
            self.fault(where, found["ctx"]["rule"], found["ctx"].get("hint"))
        else:
            self.fault(where, f"must be a map, but got {shown(found['input'])}")


def unknown(name: object, known: Any) -> str:
    """The hint for a key that is not known."""
    return did_you_mean(name, known) or f"the keys are {listed(map(str, known))}"


def _block_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel]:
    for part in loc:
        model = model.model_fields[str(part)].annotation  # type: ignore[assignment]
    return model


def _keys(model: type[BaseModel]) -> str:
    return listed(f"`{name}`" for name in model.model_fields)


def _description(model: type[BaseModel], name: str) -> str | None:
    field = model.model_fields.get(name)
    return field.description if field else None
