"""One parameter of the file, read by itself: what it draws from and when it exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.text import quoted
from keras_sweep.space_file.fault_list import FaultList, Path
from keras_sweep.space_file.file_model import ParameterSection
from keras_sweep.space_file.optimizer_arguments import OPTIMIZERS
from keras_sweep.space_file.wandb_keys import REFUSED, Constant, as_value, choice
from keras_sweep.space_file.yaml_tree import Node


@dataclass(frozen=True)
class ParameterEntry:
    """A parameter on its way into the space."""

    name: str
    choice: Distribution  # a Constant is one too
    when: Mapping[str, tuple[Value, ...]]

    @property
    def path(self) -> Path:
        """Where it stands in the file."""
        return ("parameters", self.name)


def entry_of(name: str, faults: FaultList) -> tuple[ParameterEntry | None, bool]:
    """The parameter of that name, or None with its faults noted; and whether `take: best` stands there."""
    path: Path = ("parameters", name)
    node = faults.root.at(*path)
    if not isinstance(node.value, dict):
        return _constant_entry(name, node, path, faults), False
    named = node.value.get("distribution")
    if named is not None and isinstance(named.value, str) and named.value in REFUSED:
        faults.fault((*path, "distribution"), f"the distribution `{named.value}` is not there", REFUSED[named.value])
        return None, False
    hints = {"parameters": "nested parameters are written flat, as `model.units`"}
    block = faults.section(ParameterSection, path, hints, optional=("log", "q", "probabilities"))
    if block is None or not _take_is_right(name, block, path, faults):
        return None, False
    if block.take == "best" and "max" in block.model_fields_set:
        if "min" in block.model_fields_set:
            faults.warn((*path, "min"), "has no meaning with `take: best`: every trial trains to the maximum")
        block = block.model_copy(update={"min": block.max})
    drawn = choice(block, path, faults)
    when = _when(block.when, path, faults)
    if drawn is None or when is None:
        return None, False
    if block.take == "best":
        return ParameterEntry(name, _most(drawn), {}), True
    return ParameterEntry(name, _normal(name, drawn), when), False


def _constant_entry(name: str, node: Node, path: Path, faults: FaultList) -> ParameterEntry | None:
    """A parameter that is written without a block, as in `batch_size: 32`; None with its fault noted."""
    if isinstance(node.value, list):
        text = quoted(node.plain)
        faults.fault(
            path,
            f"a list is neither a choice nor a constant, got {text}",
            f"write {{values: {text}}} or {{value: {text}}}",
        )
        return None
    if node.value is None or isinstance(node.value, dict):
        faults.fault(path, "has no value", "as in `{value: 0.01}`, `{values: [a, b]}` or `{min: 1, max: 9}`")
        return None
    return ParameterEntry(name, _normal(name, Constant((node.value,))), {})


def _take_is_right(name: str, block: ParameterSection, path: Path, faults: FaultList) -> bool:
    if block.take is not None and name != "epochs":
        faults.fault((*path, "take"), "`take` is for `epochs` only")
        return False
    if block.take == "best" and "when" in block.model_fields_set:
        faults.fault((*path, "when"), "with `take: best` epochs is the same in all trials, so it takes no `when`")
        return False
    return True


def _most(drawn: Distribution) -> Distribution:
    """`take: best` trains every trial to the maximum."""
    if isinstance(drawn, Int | Float):
        return Constant((drawn.high,))
    numbers = [value for value in drawn.choices if isinstance(value, int | float)]
    return Constant((max(numbers),)) if len(numbers) == len(drawn.choices) else drawn


def _normal(name: str, drawn: Distribution) -> Distribution:
    """Keras reads optimizer names in any case; here they are lower case throughout."""
    if name != "optimizer" or not isinstance(drawn, Categorical):
        return drawn
    names = tuple(lower(value) for value in drawn.choices)
    return replace(drawn, choices=names) if len(set(names)) == len(names) else drawn


def lower(value: Value) -> Value:
    """A known optimizer's name in lower case; every other value as it is."""
    return value.lower() if isinstance(value, str) and value.lower() in OPTIMIZERS else value


def _when(
    plain_when: Mapping[str, object] | None, path: Path, faults: FaultList
) -> dict[str, tuple[Value, ...]] | None:
    conditions: dict[str, tuple[Value, ...]] = {}
    bad = False
    for other, wanted in (plain_when or {}).items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or any(isinstance(value, dict) for value in values):
            faults.fault((*path, "when", other), f"must be a value or a list of values, but got {quoted(wanted)}")
            bad = True
            continue
        conditions[other] = tuple(
            dict.fromkeys(lower(as_value(value)) if other == "optimizer" else as_value(value) for value in values)
        )
    return None if bad else conditions
