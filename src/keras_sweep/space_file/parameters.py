"""The `parameters` of a space file -> a search space."""

from __future__ import annotations

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space.text import quoted
from keras_sweep.space_file.conditions import check_conditions, in_order
from keras_sweep.space_file.fault_list import FaultList
from keras_sweep.space_file.optimizer_checks import check_optimizer_arguments
from keras_sweep.space_file.parameter_entry import ParameterEntry, entry_of
from keras_sweep.space_file.parameter_values import as_real, check_name, check_values, is_real
from keras_sweep.space_file.wandb_keys import Constant

MOST_PARAMETERS = 200
MOST_BRANCHES = 20_000  # so that counting a space takes no time


def parameters(faults: FaultList, model: ModelSpec | None) -> tuple[SearchSpace, bool] | None:
    """The section as a search space, and whether `take: best` stands there; None, with all faults noted, where it has
    any. Warnings are noted too."""
    before = len(faults.found)
    section = faults.root.at("parameters")
    python = model is not None and model.kind == "python"  # a HyperModel may bring all parameters itself
    if not isinstance(section.value, dict) or not (section.value or python):
        hint = "as in `learning_rate: {min: 1e-4, max: 1.0, log: true}`"
        faults.fault(("parameters",), f"must be a map of parameters, but got {quoted(section.plain)}", hint)
        return None
    if len(section.value) > MOST_PARAMETERS:
        faults.fault(
            ("parameters",), f"at most {MOST_PARAMETERS} parameters are searched, but got {len(section.value)}"
        )
        return None
    names = tuple(section.value)
    entries: dict[str, ParameterEntry] = {}
    take_best = False
    for name in names:
        check_name(name, model, faults)
        entry, take = entry_of(name, faults)
        if entry is not None:
            take_best = take_best or take
            check_values(entry, model, faults)
            _warn_of_whole_numbers(entry, faults)
            entries[name] = as_real(entry)
    check_conditions(entries, names, faults)
    check_optimizer_arguments(entries, names, faults)
    ordered = in_order(entries, faults)
    if len(faults.found) > before:
        return None
    for entry in entries.values():
        _warn(entry, faults)
    space = SearchSpace(
        tuple(_parameter(entry) for entry in ordered if not _is_constant(entry)),
        {entry.name: entry.choice.value for entry in ordered if isinstance(entry.choice, Constant) and not entry.when},
    )
    if space.branches > MOST_BRANCHES:
        faults.fault(("parameters",), f"conditions may combine in at most {MOST_BRANCHES:,} ways, but got more")
        return None
    return space, take_best


def _is_constant(entry: ParameterEntry) -> bool:
    return isinstance(entry.choice, Constant) and not entry.when


def _parameter(entry: ParameterEntry) -> Parameter:
    distribution = Categorical(entry.choice.choices) if isinstance(entry.choice, Constant) else entry.choice
    conditions = tuple(Condition(name, values) for name, values in entry.when.items())
    return Parameter(entry.name, distribution, conditions)


def _warn(entry: ParameterEntry, faults: FaultList) -> None:
    drawn = entry.choice
    if isinstance(drawn, Constant):
        return
    if drawn.size == 1:
        value = drawn.choices[0] if isinstance(drawn, Categorical) else drawn.low
        faults.warn(entry.path, f"a range of one value, {quoted(value)}: it is the same in every trial")
        return
    if entry.name == "learning_rate" and isinstance(drawn, Float | Int) and not drawn.log:
        faults.warn(entry.path, "a learning rate is best drawn on a log scale; add `log: true`")


def _warn_of_whole_numbers(entry: ParameterEntry, faults: FaultList) -> None:
    """W&B's rule, that whole ends give whole numbers, surprises where Keras takes real ones."""
    drawn = entry.choice
    block = faults.root.at(*entry.path).value
    if (
        isinstance(drawn, Int)
        and drawn.size > 1
        and is_real(entry.name)
        and isinstance(block, dict)
        and "q" not in block
    ):
        faults.warn(
            entry.path, f"draws whole numbers only, as `min` and `max` are whole; write `max: {drawn.high}.0` otherwise"
        )
