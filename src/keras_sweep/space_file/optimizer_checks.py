"""Whether each optimizer that is searched takes the arguments that its trials would have."""

from __future__ import annotations

from collections.abc import Mapping

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.text import joined
from keras_sweep.space_file.fault_list import FaultList
from keras_sweep.space_file.optimizer_arguments import DEFAULT_OPTIMIZER, OPTIMIZERS, argument, optimizers_with
from keras_sweep.space_file.parameter_entry import ParameterEntry, lower
from keras_sweep.space_file.parameter_values import ends


def check_optimizer_arguments(entries: Mapping[str, ParameterEntry], names: tuple[str, ...], faults: FaultList) -> None:
    """Note arguments that an optimizer of their trials does not take, with the `when` that mends it."""
    if "optimizer" in names and "optimizer" not in entries:
        return  # which ones are searched is not known
    searched = _searched(entries.get("optimizer"))
    searched = tuple(name for name in searched if name in OPTIMIZERS)  # of the others it was told
    if not searched:
        return
    for name, entry in entries.items():
        if optimizers_with(name) and all(other in names for other in entry.when):
            possible = _possible(entry, entries, searched)
            if not possible:
                faults.warn(entry.path, "its conditions never hold together, so no trial has it")
            _check_taken(entry, possible, faults, named="optimizer" in names)
    _check_clips(entries, faults)


def _check_taken(entry: ParameterEntry, possible: list[str], faults: FaultList, *, named: bool) -> None:
    """Note where an optimizer that a trial with this argument may have does not take it, or not these values."""
    name, takers = entry.name, optimizers_with(entry.name)
    able = [optimizer for optimizer in possible if optimizer in takers]
    for optimizer in able:
        own, general = OPTIMIZERS[optimizer][name], argument(name)
        for path, value in ends(entry, faults):
            rule = own.fault(value)
            if rule and general is not None and general.allows(value):  # otherwise it was told before
                faults.fault(path, f"with {optimizer} it {rule}")
    if able == possible:
        return
    if not able:
        faults.fault(
            entry.path,
            f"`{name}` is an argument of {joined(takers)}, but the optimizer of its trials is {joined(possible)}",
            None if named else f"without a parameter `optimizer` it is {DEFAULT_OPTIMIZER}",
        )
    else:
        fix = able[0] if len(able) == 1 else f"[{joined(able)}]"
        others = joined(optimizer for optimizer in possible if optimizer not in takers)
        faults.fault(entry.path, f"`{name}` is not an argument of {others}", f"add `when: {{optimizer: {fix}}}`")


def _check_clips(entries: Mapping[str, ParameterEntry], faults: FaultList) -> None:
    clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if name in entries]
    if len(clips) > 1 and not any(entries[name].when for name in clips):
        faults.fault(
            entries[clips[1]].path,
            f"Keras takes only one of `clipnorm`, `clipvalue` and `global_clipnorm`, got {joined(clips)}",
        )


def _searched(entry: ParameterEntry | None) -> tuple[str, ...]:
    if entry is None:
        return (DEFAULT_OPTIMIZER,)
    values = entry.choice.choices if isinstance(entry.choice, Categorical) else ()
    names = tuple(str(lower(value)) for value in values)
    return (*names, DEFAULT_OPTIMIZER) if entry.when and DEFAULT_OPTIMIZER not in names else names


def _possible(entry: ParameterEntry, entries: Mapping[str, ParameterEntry], searched: tuple[str, ...]) -> list[str]:
    """The optimizers that a trial with this parameter may have, by its conditions and theirs in turn."""
    possible = set(searched)
    seen: set[str] = set()
    queue = [entry]
    while queue:
        current = queue.pop()
        if current.name in seen:
            continue
        seen.add(current.name)
        for other, values in current.when.items():
            if other == "optimizer":
                possible &= {str(value) for value in values}
            elif other in entries:
                queue.append(entries[other])
    return [optimizer for optimizer in searched if optimizer in possible]
