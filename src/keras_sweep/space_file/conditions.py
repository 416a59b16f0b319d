"""Check the conditions of parameters (`when`), the constraints of trials (`where`) and arguments of optimizers."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.distributions import Categorical, unite_distributions
from keras_sweep.space.search_space import WEIGHTS, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import DEFAULT_OPTIMIZER
from keras_sweep.space.text import did_you_mean, escape, join, quote
from keras_sweep.space_file.faults import Faults, Place
from keras_sweep.space_file.keras_tables import OPTIMIZERS, list_optimizers_with
from keras_sweep.space_file.ranges import get_path

AS_IN = "as in `where: ['model.units * model.layers <= 512']`"
Parameters = Mapping[str, Parameter]  # by name, only parameters without faults


def check_conditions(parameters: Parameters, names: tuple[str, ...], faults: Faults) -> None:
    """Report unknown parameters, impossible values and cycles in the `when` of `parameters`. `names`: of all parameters
    of the file; `parameters` lacks the faulty parameters."""
    _check_cases(parameters, faults)
    for parameter in parameters.values():
        for condition in parameter.when:
            other = condition.parameter
            path: Place = (*get_path(parameter), "when", other)
            if other not in names:
                faults.add(path, f"there is no parameter {quote(other)}", did_you_mean(other, names))
            if other == parameter.name or other not in parameters:  # a cycle is reported later
                continue
            drawn = parameters[other].distribution
            if drawn.size == math.inf:
                rule = f"`{other}` is continuous, so it almost never has this value"
                faults.add(path, rule, f"give `{other}` a list of `values`")
                continue
            choices = drawn.choices if isinstance(drawn, Categorical) else ()
            for value in condition.values:
                # Here 1 equals 1.0, but not true.
                equal = (type(value) is bool, value) in [(type(choice) is bool, choice) for choice in choices]
                if not (equal or drawn.contains(value)):
                    near = did_you_mean(value, map(str, choices))
                    hint = near or (f"choose from {quote(choices)}" if choices else None)
                    faults.add(path, f"`{other}` never has the value {quote(value)}", hint)
    needed = {name: [condition.parameter for condition in parameter.when] for name, parameter in parameters.items()}
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        circle = error.args[1]
        shown = " -> ".join(map(escape, circle))
        faults.add(("parameters", circle[0], "when"), f"conditions must not form a circle, but got {shown}")


def _check_cases(parameters: Parameters, faults: Faults) -> None:
    cases = [parameter for parameter in parameters.values() if parameter.case]
    for a, b in combinations(cases, 2):
        both = [(x.values, y.values) for x in a.when for y in b.when if x.parameter == y.parameter]
        if a.name == b.name and all(set(first) & set(second) for first, second in both):
            hint = "use different values of the same parameter in both"
            faults.add((*get_path(b), "when"), f"must not hold together with the `when` of case {a.case}", hint)
    for parameter in parameters.values():
        for name in sorted({condition.parameter for condition in parameter.when} & {case.name for case in cases}):
            rule = f"`{name}` is a list of cases, and `when` can't depend on such a parameter"
            faults.add((*get_path(parameter), "when", name), rule, "name the parameter that the cases depend on")


def check_optimizer_arguments(ordered: Sequence[Parameter], names: tuple[str, ...], faults: Faults) -> None:
    """Report a parameter, like `momentum`, if some of its trials have an optimizer without this argument; suggest a
    `when`. `ordered`: parameters without faults, each after the parameters that its `when` names. `names`: of all
    parameters."""
    cases = [parameter for parameter in ordered if parameter.name == "optimizer"]
    if "optimizer" in names and not cases:
        return  # the searched optimizers are not known
    drawn = unite_distributions([case.distribution for case in cases] or [Categorical((DEFAULT_OPTIMIZER,))])
    choices = drawn.choices if isinstance(drawn, Categorical) else ()
    searched = [str(value) for value in choices if value in OPTIMIZERS]
    if not searched:
        return  # other names are reported already
    if cases and cases[0].when and DEFAULT_OPTIMIZER not in searched:
        searched.append(DEFAULT_OPTIMIZER)
    # Parameter -> optimizers of the trials that have it, from its conditions and the conditions of their parameters.
    possible: dict[str, list[str]] = {}
    for parameter in ordered:
        name = parameter.name
        able = searched
        for condition in parameter.when:
            allowed = (
                condition.values if condition.parameter == "optimizer" else possible.get(condition.parameter, able)
            )
            able = [optimizer_name for optimizer_name in able if optimizer_name in allowed]
        possible[name] = able
        if list_optimizers_with(name) and all(condition.parameter in names for condition in parameter.when):
            if not able:
                faults.warn(get_path(parameter), "its conditions never hold together, so no trial has it")
            _check_optimizers_accept(parameter, able, faults, named="optimizer" in names)


def _check_optimizers_accept(parameter: Parameter, possible: list[str], faults: Faults, *, named: bool) -> None:
    name, takers, path = parameter.name, list_optimizers_with(parameter.name), get_path(parameter)
    able = [optimizer for optimizer in possible if optimizer in takers]
    if able == possible:
        return
    if not able:
        rule = f"`{name}` needs the optimizer {join(takers, 'or')}, but its trials use {join(possible, 'or')}"
        hint = "change `when` or `optimizer`" if named else f"add `optimizer`: Keras uses {DEFAULT_OPTIMIZER}"
        faults.add(path, rule, hint)
        return
    fix = able[0] if len(able) == 1 else f"[{join(able)}]"
    others = join(optimizer for optimizer in possible if optimizer not in takers)
    faults.add(path, f"`{name}` is not an argument of {others}", f"add `when: {{optimizer: {fix}}}`")


def add_constraints(space: SearchSpace | None, faults: Faults) -> SearchSpace | None:
    """Return `space` with the constraints of the file's `where`. Add faults of `where`, also if `space` is None because
    of other faults; then return None."""
    texts, parameters = faults.root.at("where").plain if faults.has("where") else [], faults.root.at("parameters").value
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list):
        faults.add(("where",), f"must be a list of constraints, but got {quote(texts)}", AS_IN)
        return space
    before, names = len(faults.found), tuple(parameters) if isinstance(parameters, dict) else ()
    for index, text in enumerate(texts):
        try:
            named = parse_constraint(text if isinstance(text, str) else "").names
        except ValueError as error:
            faults.add(("where", index), f"{quote(text)} {error}", AS_IN)
            continue
        for name in sorted(named.difference(names, [WEIGHTS])):
            near = did_you_mean(f"model.{name}" if f"model.{name}" in names else name, names)
            hint = "add it under `parameters`" if "." in name else "put text in quotes"
            faults.add(("where", index), f"there is no parameter {quote(name)}", near or hint)
    if space is None or not texts or len(faults.found) > before:
        return space
    space, unit = replace(space, where=tuple(texts)), random.Random(0).random
    if not (space.size if space.size < math.inf else space.drawn(unit)):
        faults.add(("where",), "no configuration meets all constraints", "relax it; don't compare text and numbers")
    return space
