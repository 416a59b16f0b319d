"""Which parameters there may be, and which values each may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keras_sweep.space.distributions import Categorical, Float, Int, Value
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space.text import did_you_mean, joined, quoted
from keras_sweep.space_file.fault_list import FaultList, Path
from keras_sweep.space_file.file_model import DENSE_ARGUMENTS
from keras_sweep.space_file.optimizer_arguments import ARGUMENTS, OPTIMIZERS, argument
from keras_sweep.space_file.parameter_entry import ParameterEntry, lower
from keras_sweep.space_file.rules import NameRule, NumberRule, Rule
from keras_sweep.space_file.wandb_keys import Constant

MODEL = "model."
FIT_ARGUMENTS: Mapping[str, NumberRule] = {
    "learning_rate": NumberRule(gt=0),
    "epochs": NumberRule(int, ge=1),
    "batch_size": NumberRule(int, ge=1),
    "seed": NumberRule(int, ge=0, le=2**32 - 1),
}
OPTIMIZER = NameRule(tuple(OPTIMIZERS), "an optimizer of Keras")
OTHER_NAMES: Mapping[str, str] = {
    "lr": "learning_rate",
    "opt": "optimizer",
    "batch": "batch_size",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "random_state": "seed",
}
# arguments of `fit` that are no parameter -> what serves instead
INSTEAD: Mapping[str, str] = {
    "callbacks": "`epochs: {max: 20, take: best}` keeps each trial's best epoch, and `early_terminate` "
    "stops poor trials",
    "class_weight": "a model of your own may weigh classes in `compute_loss`",
}


def check_name(name: str, model: ModelSpec | None, faults: FaultList) -> None:
    """Note a name that is no argument of training, optimizers or the model."""
    path = ("parameters", name)
    hint: str | None
    if name in FIT_ARGUMENTS or name == "optimizer" or name in ARGUMENTS:
        return
    if name.startswith(MODEL):
        inner = name.removeprefix(MODEL)
        if model is not None and model.kind == "dense" and inner not in DENSE_ARGUMENTS:
            near = did_you_mean(inner, DENSE_ARGUMENTS)
            hint = near.replace("`", "`model.", 1) if near else f"its arguments are {joined(DENSE_ARGUMENTS)}"
            faults.fault(path, f"the dense model has no argument {quoted(inner)}", hint)
        elif not inner.isidentifier():
            faults.fault(path, f"a model's argument is a Python name, but got {quoted(inner)}")
        return
    if name in INSTEAD:
        hint = INSTEAD[name]
    elif name in OTHER_NAMES:
        hint = f"did you mean `{OTHER_NAMES[name]}`?"
    elif name in DENSE_ARGUMENTS or (model is not None and name in model.arguments):
        hint = f"an argument of the model is written `model.{name}`"
    else:
        hint = did_you_mean(name, (*FIT_ARGUMENTS, "optimizer", *ARGUMENTS, *(f"{MODEL}{k}" for k in DENSE_ARGUMENTS)))
    faults.fault(
        path,
        f"no optimizer of Keras has an argument {quoted(name)}",
        hint or "arguments of the model are written `model.NAME`",
    )


def check_values(entry: ParameterEntry, model: ModelSpec | None, faults: FaultList) -> None:
    """Note every value that the parameter must not have."""
    if entry.name == "optimizer":
        _check_optimizer(entry, faults)
        return
    rule = rule_of_parameter(entry.name)
    if rule is not None and not (entry.name.startswith(MODEL) and (model is None or model.kind != "dense")):
        for path, value in ends(entry, faults):
            faults.fits(rule, path, value)


def rule_of_parameter(name: str) -> Rule | None:
    """What a parameter's values may be; None where that is not known: for a model of the user's."""
    if name.startswith(MODEL):
        return DENSE_ARGUMENTS.get(name.removeprefix(MODEL))
    return FIT_ARGUMENTS.get(name) or argument(name)


def ends(entry: ParameterEntry, faults: FaultList) -> Iterable[tuple[Path, Value]]:
    """Where each value stands that must keep the rules: every choice, or both ends of a range."""
    drawn, path = entry.choice, entry.path
    if isinstance(drawn, Constant):
        block = faults.root.at(*path).value
        keys = [key for key in ("value", "max", "values") if isinstance(block, dict) and key in block]
        return [((*path, *keys[:1]), drawn.value)]
    if isinstance(drawn, Categorical):
        return [((*path, "values", index), value) for index, value in enumerate(drawn.choices)]
    return [((*path, "min"), drawn.low), ((*path, "max"), drawn.high)]


def _check_optimizer(entry: ParameterEntry, faults: FaultList) -> None:
    if isinstance(entry.choice, Int | Float):
        faults.fault(entry.path, "optimizers are names, not a range", "as in {values: [sgd, adam]}")
        return
    seen: set[Value] = set()
    for path, value in ends(entry, faults):
        if faults.fits(OPTIMIZER, path, lower(value)) and lower(value) in seen:
            faults.fault(path, f"the optimizer `{lower(value)}` is there twice")
        seen.add(lower(value))


def as_real(entry: ParameterEntry) -> ParameterEntry:
    """Whole numbers as real ones where Keras takes nothing else: `momentum: 0` is 0.0."""
    drawn = entry.choice
    if not is_real(entry.name):
        return entry
    if isinstance(drawn, Categorical):
        return replace(entry, choice=replace(drawn, choices=tuple(map(_real, drawn.choices))))
    if isinstance(drawn, Int) and not drawn.log:  # the same values: a log range has no step
        return replace(entry, choice=Float(float(drawn.low), float(drawn.high), step=float(drawn.step)))
    return entry


def _real(value: Value) -> Value:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def is_real(name: str) -> bool:
    """Whether the name is an argument that takes real numbers."""
    rule = rule_of_parameter(name)
    return isinstance(rule, NumberRule) and rule.kind is float
