"""The `parameters` of a space file -> a search space: names, values, conditions, and which optimizer takes what."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keras_sweep.space.dense_arguments import DENSE_ARGUMENTS, dense_fault
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.findings import Findings, Path
from keras_sweep.space.optimizer_arguments import (
    ARGUMENTS,
    DEFAULT_OPTIMIZER,
    LEARNING_RATE,
    OPTIMIZERS,
    Argument,
    optimizers_with,
)
from keras_sweep.space.plain_text import did_you_mean, listed, plain, shown
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space.wandb_keys import REFUSED, Choice, Constant, as_value, choice

MOST_PARAMETERS = 200
MOST_BRANCHES = 20_000  # so that counting a space takes no time
MODEL = "model."
FIT_ARGUMENTS: Mapping[str, Argument] = {
    "learning_rate": LEARNING_RATE,
    "epochs": Argument(int, low=1),
    "batch_size": Argument(int, low=1),
    "seed": Argument(int, low=0, high=2**32 - 1),
}
OTHER_NAMES: Mapping[str, str] = {
    "lr": "learning_rate",
    "opt": "optimizer",
    "batch": "batch_size",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "random_state": "seed",
    "decay": "weight_decay",
}


@dataclass(frozen=True)
class _Draft:
    """A parameter on its way into the space."""

    name: str
    choice: Choice
    when: Mapping[str, tuple[Value, ...]]

    @property
    def path(self) -> Path:
        return ("parameters", self.name)


@dataclass(frozen=True)
class Parameters:
    """What the section says."""

    space: SearchSpace
    take_best: bool


def parameters(findings: Findings, model: ModelSpec | None) -> Parameters | None:
    """The section as a search space; None, with all faults noted, where it has any. Warnings are noted too."""
    before = len(findings.faults)
    section = findings.root.at("parameters")
    python = model is not None and model.kind == "python"  # a HyperModel may bring all parameters itself
    if not isinstance(section.value, dict) or not (section.value or python):
        hint = "as in `learning_rate: {min: 1e-4, max: 1.0, log: true}`"
        findings.fault(("parameters",), f"must be a map of parameters, but got {shown(section.plain)}", hint)
        return None
    if len(section.value) > MOST_PARAMETERS:
        findings.fault(
            ("parameters",), f"at most {MOST_PARAMETERS} parameters are searched, but got {len(section.value)}"
        )
        return None
    names = tuple(section.value)
    drafts: dict[str, _Draft] = {}
    take_best = False
    for name in names:
        _check_name(name, model, findings)
        draft, take = _draft(name, findings)
        if draft is not None:
            drafts[name] = draft
            take_best = take_best or take
            _check_values(draft, model, findings)
    _check_conditions(drafts, names, findings)
    _check_optimizer_arguments(drafts, names, findings)
    ordered = _in_order(drafts, findings)
    if len(findings.faults) > before:
        return None
    for draft in drafts.values():
        _warn(draft, findings)
    space = SearchSpace(
        tuple(_parameter(draft) for draft in ordered if not _is_constant(draft)),
        {draft.name: draft.choice.value for draft in ordered if isinstance(draft.choice, Constant) and not draft.when},
    )
    if space.branches > MOST_BRANCHES:
        findings.fault(("parameters",), f"conditions may combine in at most {MOST_BRANCHES:,} ways, but got more")
        return None
    return Parameters(space, take_best)


def _is_constant(draft: _Draft) -> bool:
    return isinstance(draft.choice, Constant) and not draft.when


def _parameter(draft: _Draft) -> Parameter:
    distribution = Categorical((draft.choice.value,)) if isinstance(draft.choice, Constant) else draft.choice
    conditions = tuple(Condition(name, values) for name, values in draft.when.items())
    return Parameter(draft.name, distribution, conditions)


# -- names ------------------------------------------------------------------------------------------------------------


def _check_name(name: str, model: ModelSpec | None, findings: Findings) -> None:
    path = ("parameters", name)
    hint: str | None
    if name in FIT_ARGUMENTS or name == "optimizer" or name in ARGUMENTS:
        return
    if name.startswith(MODEL):
        argument = name.removeprefix(MODEL)
        if model is not None and model.kind == "dense" and argument not in DENSE_ARGUMENTS:
            near = did_you_mean(argument, DENSE_ARGUMENTS)
            hint = near.replace("`", "`model.", 1) if near else f"its arguments are {listed(DENSE_ARGUMENTS)}"
            findings.fault(path, f"the dense model has no argument {shown(argument)}", hint)
        elif not argument.isidentifier():
            findings.fault(path, f"a model's argument is a Python name, but got {shown(argument)}")
        return
    if name in OTHER_NAMES:
        hint = f"did you mean `{OTHER_NAMES[name]}`?"
    elif name in DENSE_ARGUMENTS or (model is not None and name in model.arguments):
        hint = f"an argument of the model is written `model.{name}`"
    else:
        hint = did_you_mean(name, (*FIT_ARGUMENTS, "optimizer", *ARGUMENTS, *(f"{MODEL}{k}" for k in DENSE_ARGUMENTS)))
    findings.fault(
        path,
        f"no optimizer of Keras has an argument {shown(name)}",
        hint or "arguments of the model are written `model.NAME`",
    )


# -- one parameter ----------------------------------------------------------------------------------------------------


def _draft(name: str, findings: Findings) -> tuple[_Draft | None, bool]:
    from keras_sweep.space.file_model import ParameterBlock

    path: Path = ("parameters", name)
    node = findings.root.at(*path)
    if isinstance(node.value, list):
        text = shown(node.plain)
        findings.fault(
            path,
            f"a list is neither a choice nor a constant, got {text}",
            f"write {{values: {text}}} or {{value: {text}}}",
        )
        return None, False
    if not isinstance(node.value, dict):
        if node.value is None:
            findings.fault(path, "has no value", "as in `{value: 0.01}`, `{values: [a, b]}` or `{min: 1, max: 9}`")
            return None, False
        return _Draft(name, _normal(name, Constant(node.value)), {}), False
    named = node.value.get("distribution")
    if named is not None and isinstance(named.value, str) and named.value in REFUSED:
        findings.fault((*path, "distribution"), f"the distribution `{named.value}` is not there", REFUSED[named.value])
        return None, False
    hints = {"parameters": "nested parameters are written flat, as `model.units`"}
    block = findings.block(ParameterBlock, path, hints)
    if block is None:
        return None, False
    if block.take is not None and name != "epochs":
        findings.fault((*path, "take"), "`take` is for `epochs` only")
        return None, False
    if block.take == "best" and "when" in block.model_fields_set:
        findings.fault((*path, "when"), "with `take: best` epochs is the same in all trials, so it takes no `when`")
        return None, False
    if block.take == "best" and "max" in block.model_fields_set:
        if "min" in block.model_fields_set:
            findings.warn((*path, "min"), "has no meaning with `take: best`: every trial trains to the maximum")
        block = block.model_copy(update={"min": block.max})
    drawn = choice(block, path, findings)
    when = _when(block.when, path, findings)
    if drawn is None or when is None:
        return None, False
    if block.take == "best":
        return _Draft(name, _most(drawn), {}), True
    return _Draft(name, _normal(name, drawn), when), False


def _most(drawn: Choice) -> Choice:
    """`take: best` trains every trial to the maximum."""
    if isinstance(drawn, Categorical):
        numbers = [value for value in drawn.choices if isinstance(value, int | float)]
        return Constant(max(numbers)) if len(numbers) == len(drawn.choices) else drawn
    return Constant(drawn.high) if isinstance(drawn, Int | Float) else drawn


def _normal(name: str, drawn: Choice) -> Choice:
    """Keras reads optimizer names in any case; here they are lower case throughout."""
    if name != "optimizer":
        return drawn
    if isinstance(drawn, Constant):
        return Constant(_lower(drawn.value))
    if isinstance(drawn, Categorical):
        lower = tuple(_lower(value) for value in drawn.choices)
        return replace(drawn, choices=lower) if len(set(lower)) == len(lower) else drawn
    return drawn


def _lower(value: Value) -> Value:
    return value.lower() if isinstance(value, str) and value.lower() in OPTIMIZERS else value


def _when(
    plain_when: Mapping[str, object] | None, path: Path, findings: Findings
) -> dict[str, tuple[Value, ...]] | None:
    conditions: dict[str, tuple[Value, ...]] = {}
    bad = False
    for other, wanted in (plain_when or {}).items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or any(isinstance(value, dict) for value in values):
            findings.fault((*path, "when", other), f"must be a value or a list of values, but got {shown(wanted)}")
            bad = True
            continue
        conditions[other] = tuple(
            dict.fromkeys(_lower(as_value(value)) if other == "optimizer" else as_value(value) for value in values)
        )
    return None if bad else conditions


# -- values -----------------------------------------------------------------------------------------------------------


def _check_values(draft: _Draft, model: ModelSpec | None, findings: Findings) -> None:
    name = draft.name
    if name == "optimizer":
        _check_optimizer(draft, findings)
        return
    if name.startswith(MODEL):
        argument = name.removeprefix(MODEL)
        if model is not None and model.kind == "dense" and argument in DENSE_ARGUMENTS:
            for path, value in _ends(draft, findings):
                if fault := dense_fault(argument, value):
                    findings.fault(path, *fault)
            _check_whole(draft, DENSE_ARGUMENTS[argument] or Argument(int), findings)
        return
    known = FIT_ARGUMENTS.get(name) or next((args[name] for args in OPTIMIZERS.values() if name in args), None)
    if known is not None:
        for path, value in _ends(draft, findings):
            if rule := known.fault(value):
                findings.fault(path, rule)
        _check_whole(draft, known, findings)


def _check_whole(draft: _Draft, argument: Argument, findings: Findings) -> None:
    """A range of real numbers whose ends happen to pass must not stand for whole numbers."""
    if argument.kind is int and isinstance(draft.choice, Float):
        faults = [argument.fault(value) for value in (draft.choice.low, draft.choice.high)]
        if not any(faults):
            findings.fault(draft.path, f"must be {argument.rule}, but got a range of real numbers")


def _ends(draft: _Draft, findings: Findings) -> Iterable[tuple[Path, Value]]:
    """Where each value stands that must keep the rules: every choice, or both ends of a range."""
    drawn, path = draft.choice, draft.path
    if isinstance(drawn, Constant):
        block = findings.root.at(*path).value
        keys = [key for key in ("value", "max", "values") if isinstance(block, dict) and key in block]
        return [((*path, *keys[:1]), drawn.value)]
    if isinstance(drawn, Categorical):
        return [((*path, "values", index), value) for index, value in enumerate(drawn.choices)]
    return [((*path, "min"), drawn.low), ((*path, "max"), drawn.high)]


def _check_optimizer(draft: _Draft, findings: Findings) -> None:
    if isinstance(draft.choice, Int | Float):
        findings.fault(draft.path, "optimizers are names, not a range", "as in {values: [sgd, adam]}")
        return
    seen: set[Value] = set()
    for path, value in _ends(draft, findings):
        if not isinstance(value, str) or (value not in OPTIMIZERS and _lower(value) not in OPTIMIZERS):
            hint = did_you_mean(value, OPTIMIZERS) or f"one of {listed(OPTIMIZERS)}"
            findings.fault(path, f"must be an optimizer of Keras, but got {shown(value)}", hint)
        elif _lower(value) in seen:
            findings.fault(path, f"the optimizer `{_lower(value)}` is there twice")
        seen.add(_lower(value))


# -- conditions -------------------------------------------------------------------------------------------------------


def _check_conditions(drafts: Mapping[str, _Draft], names: tuple[str, ...], findings: Findings) -> None:
    for draft in drafts.values():
        for other, values in draft.when.items():
            path: Path = (*draft.path, "when", other)
            if other not in names:
                findings.fault(
                    path, f"`when` names no parameter: there is no {shown(other)}", did_you_mean(other, names)
                )
                continue
            if other == draft.name or other not in drafts:  # a cycle, told later; or a parameter with faults of its own
                continue
            drawn = drafts[other].choice
            if isinstance(drawn, Float) and drawn.size == math.inf:
                findings.fault(path, f"`{other}` is continuous, so it hardly ever has one certain value")
                continue
            for value in values:
                if not _can_have(drawn, value):
                    hint = did_you_mean(value, map(str, drawn.choices)) if isinstance(drawn, Categorical) else None
                    findings.fault(path, f"`{other}` never has the value {shown(value)}", hint or _has(drawn))


def _can_have(drawn: Choice, value: Value) -> bool:
    if isinstance(drawn, Constant):
        return type(drawn.value) is type(value) and drawn.value == value
    return drawn.contains(value)


def _has(drawn: Choice) -> str:
    if isinstance(drawn, Constant):
        return f"it is always {shown(drawn.value)}"
    if isinstance(drawn, Categorical):
        return f"its values are {shown(drawn.choices)}"
    step = "" if drawn.step in (None, 1) else f" in steps of {shown(drawn.step)}"
    return f"it is from {shown(drawn.low)} to {shown(drawn.high)}{step}"


def _in_order(drafts: Mapping[str, _Draft], findings: Findings) -> list[_Draft]:
    """Every parameter after those that it depends on, otherwise as in the file. Notes cycles."""
    ordered: dict[str, _Draft] = {}
    waiting = dict(drafts)
    while waiting:
        free = [
            draft for draft in waiting.values() if all(other in ordered or other not in drafts for other in draft.when)
        ]
        if not free:
            break
        first = free[0]
        ordered[first.name] = first
        del waiting[first.name]
    if waiting:
        cycle = _cycle(waiting)
        findings.fault(
            ("parameters", cycle[0], "when"),
            f"conditions must not go in a circle, but got {' -> '.join(map(plain, (*cycle, cycle[0])))}",
        )
    return list(ordered.values())


def _cycle(waiting: Mapping[str, _Draft]) -> list[str]:
    walk = [next(iter(waiting))]
    while True:
        following = next(other for other in waiting[walk[-1]].when if other in waiting)
        if following in walk:
            return walk[walk.index(following) :]
        walk.append(following)


# -- which optimizer takes what ---------------------------------------------------------------------------------------


def _check_optimizer_arguments(drafts: Mapping[str, _Draft], names: tuple[str, ...], findings: Findings) -> None:
    if "optimizer" in names and "optimizer" not in drafts:
        return  # which ones are searched is not known
    searched = _searched(drafts.get("optimizer"))
    if not searched or not all(name in OPTIMIZERS for name in searched):
        return
    clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if name in drafts]
    for name, draft in drafts.items():
        takers = optimizers_with(name)
        if not takers or len(takers) == len(OPTIMIZERS):
            continue
        possible = [optimizer for optimizer in searched if optimizer in _possible(draft, drafts, searched)]
        able = [optimizer for optimizer in possible if optimizer in takers]
        if able == possible:
            continue
        if not able:
            findings.fault(
                draft.path,
                f"`{name}` is an argument of {listed(takers)}, but the optimizer of its trials is {listed(possible)}",
                None if "optimizer" in names else f"without a parameter `optimizer` it is {DEFAULT_OPTIMIZER}",
            )
        else:
            fix = able[0] if len(able) == 1 else f"[{listed(able)}]"
            others = listed(optimizer for optimizer in possible if optimizer not in takers)
            findings.fault(draft.path, f"`{name}` is not an argument of {others}", f"add `when: {{optimizer: {fix}}}`")
    if len(clips) > 1 and not any(drafts[name].when for name in clips):
        findings.fault(
            drafts[clips[1]].path,
            f"Keras takes only one of `clipnorm`, `clipvalue` and `global_clipnorm`, got {listed(clips)}",
        )


def _searched(draft: _Draft | None) -> tuple[str, ...]:
    if draft is None:
        return (DEFAULT_OPTIMIZER,)
    values: tuple[Value, ...] = ()
    if isinstance(draft.choice, Constant):
        values = (draft.choice.value,)
    elif isinstance(draft.choice, Categorical):
        values = draft.choice.choices
    names = tuple(str(_lower(value)) for value in values)
    return (*names, DEFAULT_OPTIMIZER) if draft.when and DEFAULT_OPTIMIZER not in names else names


def _possible(draft: _Draft, drafts: Mapping[str, _Draft], searched: tuple[str, ...]) -> set[str]:
    """The optimizers that a trial with this parameter may have, by its conditions and theirs in turn."""
    possible = set(searched)
    seen: set[str] = set()
    queue = [draft]
    while queue:
        current = queue.pop()
        if current.name in seen:
            continue
        seen.add(current.name)
        for other, values in current.when.items():
            if other == "optimizer":
                possible &= {str(value) for value in values}
            elif other in drafts:
                queue.append(drafts[other])
    return possible


# -- what does not stop -----------------------------------------------------------------------------------------------


def _warn(draft: _Draft, findings: Findings) -> None:
    drawn = draft.choice
    if isinstance(drawn, Constant):
        return
    if drawn.size == 1:
        value = drawn.choices[0] if isinstance(drawn, Categorical) else drawn.low
        findings.warn(draft.path, f"a range of one value, {shown(value)}: it is the same in every trial")
        return
    if draft.name == "learning_rate" and isinstance(drawn, Float | Int) and not drawn.log:
        findings.warn(draft.path, "a learning rate is best drawn on a log scale; add `log: true`")
    if isinstance(drawn, Int) and _is_real(draft.name):
        findings.warn(
            draft.path, f"draws whole numbers only, as `min` and `max` are whole; write `max: {drawn.high}.0` otherwise"
        )


def _is_real(name: str) -> bool:
    """Whether the name is an argument that takes real numbers."""
    if name.startswith(MODEL):
        return name.removeprefix(MODEL) in ("dropout", "l2")
    known: Distribution | Argument | None = FIT_ARGUMENTS.get(name)
    if known is None:
        known = next((args[name] for args in OPTIMIZERS.values() if name in args), None)
    return isinstance(known, Argument) and known.kind is float
