"""`when`: whether conditions can hold, and the order in which they look back."""

from __future__ import annotations

import math
from collections.abc import Mapping

from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.text import did_you_mean, escaped, quoted
from keras_sweep.space_file.fault_list import FaultList, Path
from keras_sweep.space_file.parameter_entry import ParameterEntry
from keras_sweep.space_file.wandb_keys import Constant


def check_conditions(entries: Mapping[str, ParameterEntry], names: tuple[str, ...], faults: FaultList) -> None:
    """Note conditions that name no parameter, or a value that it never has."""
    for entry in entries.values():
        for other, values in entry.when.items():
            path: Path = (*entry.path, "when", other)
            if other not in names:
                faults.fault(
                    path, f"`when` names no parameter: there is no {quoted(other)}", did_you_mean(other, names)
                )
                continue
            if (
                other == entry.name or other not in entries
            ):  # a cycle, told later; or a parameter with faults of its own
                continue
            drawn = entries[other].choice
            if isinstance(drawn, Float) and drawn.size == math.inf:
                faults.fault(path, f"`{other}` is continuous, so it hardly ever has one certain value")
                continue
            for value in values:
                if not _can_have(drawn, value):
                    hint = did_you_mean(value, map(str, drawn.choices)) if isinstance(drawn, Categorical) else None
                    faults.fault(path, f"`{other}` never has the value {quoted(value)}", hint or _has(drawn))


def _can_have(drawn: Distribution, value: Value) -> bool:
    """Whether it may have a value that equals this one: 1 and 1.0 are equal here, 1 and true are not."""
    if isinstance(drawn, Int | Float):
        return drawn.contains(float(value) if isinstance(drawn, Float) and type(value) is int else value)
    return any(choice == value and isinstance(choice, bool) is isinstance(value, bool) for choice in drawn.choices)


def _has(drawn: Distribution) -> str:
    if isinstance(drawn, Constant):
        return f"it is always {quoted(drawn.value)}"
    if isinstance(drawn, Categorical):
        return f"its values are {quoted(drawn.choices)}"
    step = "" if drawn.step in (None, 1) else f" in steps of {quoted(drawn.step)}"
    return f"it is from {quoted(drawn.low)} to {quoted(drawn.high)}{step}"


def in_order(entries: Mapping[str, ParameterEntry], faults: FaultList) -> list[ParameterEntry]:
    """Every parameter after those that it depends on, otherwise as in the file. Notes cycles."""
    ordered: dict[str, ParameterEntry] = {}
    waiting = dict(entries)
    while waiting:
        free = [
            entry for entry in waiting.values() if all(other in ordered or other not in entries for other in entry.when)
        ]
        if not free:
            break
        first = free[0]
        ordered[first.name] = first
        del waiting[first.name]
    if waiting:
        cycle = _cycle(waiting)
        faults.fault(
            ("parameters", cycle[0], "when"),
            f"conditions must not go in a circle, but got {' -> '.join(map(escaped, (*cycle, cycle[0])))}",
        )
    return list(ordered.values())


def _cycle(waiting: Mapping[str, ParameterEntry]) -> list[str]:
    walk = [next(iter(waiting))]
    while True:
        following = next(other for other in waiting[walk[-1]].when if other in waiting)
        if following in walk:
            return walk[walk.index(following) :]
        walk.append(following)
