"""Read `parameters` of a space file into a search space, and check names and values."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from keras_sweep.space.data_spec import Seed
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace, sort_parameters
from keras_sweep.space.sweep_spec import LOSS_PREFIX, MODEL_PREFIX, TRAINING_PREFIX, ModelSpec
from keras_sweep.space.text import did_you_mean, join, quote
from keras_sweep.space.variants import DATA_PREFIX
from keras_sweep.space_file.conditions import check_conditions, check_optimizer_arguments
from keras_sweep.space_file.faults import Faults, Place, Rule
from keras_sweep.space_file.keras_tables import ARGUMENTS, LOSS_ARGUMENTS, OPTIMIZERS, Kind, make_kind
from keras_sweep.space_file.ranges import (
    Constant,
    ParameterError,
    get_path,
    list_limits,
    make_distribution,
    parse_value,
)
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, ChoiceSection, ConstantSection, ParameterForm, RangeSection
from keras_sweep.space_file.sources import list_data_parameters
from keras_sweep.space_file.training import ARGUMENTS as TRAINING_ARGUMENTS

MOST_PARAMETERS = 200
FORMS: Mapping[str, type[ParameterForm]] = {"value": ConstantSection, "values": ChoiceSection}  # else a range
FIT_ARGUMENTS: Mapping[str, Kind] = {
    "optimizer": make_kind(Annotated[str, Rule("an optimizer of Keras", OPTIMIZERS)]),
    "learning_rate": make_kind(Annotated[float, Field(gt=0)]),
    "schedule": make_kind(Annotated[str, Rule(names=("constant", "cosine", "exponential", "linear"))]),
    "warmup": make_kind(Annotated[float, Field(ge=0, lt=1)]),
    "epochs": make_kind(Annotated[int, Field(ge=1)]),
    "batch_size": make_kind(Annotated[int, Field(ge=1)]),
    "seed": make_kind(Seed),
}
LOSS_PARAMETERS: Mapping[str, Kind] = {
    "loss.label_smoothing": make_kind(Annotated[float, Field(ge=0, lt=1)]),
    **dict.fromkeys(("loss.alpha", "loss.beta", "loss.gamma"), make_kind(Annotated[float, Field(ge=0)])),
    "loss.delta": make_kind(Annotated[float, Field(gt=0)]),
}
MODEL_ARGUMENTS: Mapping[str, Kind] = {f"{MODEL_PREFIX}{name}": kind for name, kind in DENSE_ARGUMENTS.items()}
PLAIN: Mapping[str, Kind] = {**ARGUMENTS, **FIT_ARGUMENTS}  # parameters whose names have no dot
KINDS: Mapping[str, Kind] = {**PLAIN, **LOSS_PARAMETERS, **TRAINING_ARGUMENTS, **MODEL_ARGUMENTS}
# Argument of `fit` that is not a parameter -> what to use instead.
INSTEAD: Mapping[str, str] = {
    "callbacks": "use `early_stopping`, `reduce_lr_on_plateau` or `callbacks` of `training`",
    "class_weight": "put it under `training`, or use the parameter `training.class_weight`",
    "early_stopping": "put it under `training`, or use parameters like `training.early_stopping.patience`",
    "reduce_lr_on_plateau": "put it under `training`, or use parameters like `training.reduce_lr_on_plateau.factor`",
}


def read_parameters(faults: Faults, model: ModelSpec | None) -> SearchSpace | None:
    """Read `parameters` as a search space. Add warnings and faults to `faults`; with faults, return None. `model`
    decides which `model.*` names are known."""
    before = len(faults.found)
    section = faults.root.at("parameters")
    python = model is not None and model.kind == "python"  # a HyperModel may define all parameters
    is_of_keras = model is None or model.kind != "function"
    if not isinstance(section.value, dict) or not (section.value or python):
        hint = "as in `learning_rate: {min: 1e-4, max: 1.0, log: true}`"
        faults.add(("parameters",), f"must be a map of parameters, but got {quote(section.plain)}", hint)
        return None
    if len(section.value) > MOST_PARAMETERS:
        faults.add(("parameters",), f"must have at most {MOST_PARAMETERS} parameters, but got {len(section.value)}")
        return None
    names = tuple(section.value)
    valid: dict[str, Parameter] = {}
    for name in names:
        kind = _find_kind(name, model, faults)
        for path in _list_paths(name, faults):
            try:
                parameter = _read_parameter(name, path, faults)
            except ParameterError as error:
                key, rule, hint = error.args
                faults.add((*path, *filter(None, (key,))), rule, hint)
                continue
            if parameter is not None:
                _check_values(parameter, kind, faults)
                _warn_of_range(parameter, faults)
                valid[parameter.key] = _convert_to_reals(parameter) if is_of_keras else parameter
    check_conditions(valid, names, faults)
    ordered = sort_parameters(valid.values())
    if is_of_keras:
        check_optimizer_arguments(ordered, names, faults)
    return _make_space(ordered) if len(faults.found) == before else None


def _make_space(ordered: Iterable[Parameter]) -> SearchSpace:
    """Return the space. A constant stays a constant; with a `when` it becomes a choice of a single value."""
    searched: list[Parameter] = []
    constants: dict[str, Value] = {}
    for parameter in ordered:
        distribution = parameter.distribution
        if not isinstance(distribution, Constant):
            searched.append(parameter)
        elif parameter.when:
            searched.append(replace(parameter, distribution=Categorical(distribution.choices)))
        else:
            constants[parameter.name] = distribution.choices[0]
    return SearchSpace(tuple(searched), constants)


def _list_paths(name: str, faults: Faults) -> list[Place]:
    value = faults.root.at("parameters", name).value
    if isinstance(value, list) and value and all(isinstance(case.value, dict) for case in value):
        return [("parameters", name, index) for index in range(len(value))]
    return [("parameters", name)]


def _read_parameter(name: str, path: Place, faults: Faults) -> Parameter | None:
    """Read the parameter at `path`. Report faulty keys and return None. For any other fault raise ParameterError."""
    node = faults.root.at(*path)
    if isinstance(node.value, list):
        text = quote(node.plain)
        hint = f"write {{values: {text}}} for a choice, or {{value: {text}}} for a constant"
        raise ParameterError(None, f"must be a choice or a constant, but got the list {text}", hint)
    if node.value is None:
        raise ParameterError(None, "has no value", "as in `{value: 0.01}`, `{values: [a, b]}` or `{min: 1, max: 9}`")
    if not isinstance(node.value, dict):  # without a block, as in `batch_size: 32`
        return Parameter(name, Constant((parse_value(name, node.value, faults),)))
    form = next((FORMS[key] for key in FORMS if key in node.value), RangeSection)
    hints = {"parameters": "write nested parameters flat, as in `model.units`"} | dict.fromkeys(
        ("value", "values", "min", "max"), "use only `value`, only `values`, or only `min` with `max`"
    )
    before = len(faults.found)
    block = faults.read_section(form, path, hints)
    has_faults = len(faults.found) > before
    if block is None or (has_faults and isinstance(block, RangeSection) and None in (block.min, block.max)):
        return None  # a missing key may be misspelt
    when = []
    for needed, plain in (block.when or {}).items():
        values = plain if isinstance(plain, list) else [plain]
        when.append(Condition(needed, tuple(dict.fromkeys(parse_value(needed, value, faults) for value in values))))
    case = int(path[2]) + 1 if len(path) > 2 else 0
    if case and not when:
        raise ParameterError(None, "each case needs a `when`", "as in `- {when: {optimizer: sgd}, min: 0.1, max: 1.0}`")
    parameter = Parameter(name, _read_distribution(block, path, faults), tuple(when), case)
    return None if has_faults else parameter


def _read_distribution(block: ParameterForm, path: Place, faults: Faults) -> Distribution:
    """Return the distribution of the section `block`; for `take: best` a constant, its `max`. Raises ParameterError."""
    if block.take is not None and path[1] != "epochs":
        raise ParameterError("take", "works for `epochs` only", "leave it out")
    if block.take == "best":
        rule = "trains every trial for `max` epochs"
        if block.when is not None or isinstance(block, ChoiceSection):
            raise ParameterError("take", f"`best` can't be used with `values` or `when`: it {rule}", "write only `max`")
        if isinstance(block, RangeSection) and block.max is not None:
            if block.min is not None:
                faults.warn((*path, "min"), f"has no effect: `take: best` {rule}")
            return Constant((block.max,))
    return make_distribution(block, path, faults)


def _find_kind(name: str, model: ModelSpec | None, faults: Faults) -> Kind | None:
    """Return the validator of a parameter's values; None if any value is allowed. Report an unknown name."""
    if model is not None and model.kind == "function" and not name.startswith(DATA_PREFIX):
        return FIT_ARGUMENTS[name] if name in ("epochs", "seed") else None
    path, (what, known) = ("parameters", name), _find_group(name, model, faults)
    if known is None:
        argument = name.removeprefix(MODEL_PREFIX)
        if name.startswith(MODEL_PREFIX) and not argument.isidentifier():
            faults.add(path, f"an argument must be a Python name, but got {quote(argument)}")
    elif name in known:
        return known[name]
    elif what:
        hint = did_you_mean(name, known) or (f"choose from {join(known)}" if known else "leave it out: there are none")
        faults.add(path, f"is not a parameter of {what}", hint)
    else:
        of_model = name in DENSE_ARGUMENTS or (model is not None and name in model.arguments)
        near = INSTEAD.get(name) or did_you_mean("learning_rate" if name == "lr" else name, (*PLAIN, *MODEL_ARGUMENTS))
        near = f"write `model.{name}`" if of_model else near
        faults.add(path, f"there is no parameter {quote(name)}", near or "write model arguments as `model.NAME`")
    return None


def _find_group(name: str, model: ModelSpec | None, faults: Faults) -> tuple[str, Mapping[str, Kind] | None]:
    """Return (the parameter's group, "this loss"; known name -> validator, or None if the group allows any name)."""
    if name.startswith(DATA_PREFIX):
        return "this data source", list_data_parameters(faults)
    if name.startswith(LOSS_PREFIX):
        loss = faults.root.at("loss").plain
        section = loss if isinstance(loss, dict) else {"name": loss}
        arguments = LOSS_ARGUMENTS.get(str(section.get("name")), ())
        known = {key: kind for key, kind in LOSS_PARAMETERS.items() if key.removeprefix(LOSS_PREFIX) in arguments}
        return "this loss", None if "python" in section else known
    if name.startswith(TRAINING_PREFIX):
        return "`training`", TRAINING_ARGUMENTS
    if name.startswith(MODEL_PREFIX):
        return "the dense model", MODEL_ARGUMENTS if model is not None and model.kind == "dense" else None
    return "", PLAIN


def _check_values(parameter: Parameter, kind: Kind | None, faults: Faults) -> None:
    if parameter.name == "optimizer" and kind is not None and isinstance(parameter.distribution, Int | Float):
        faults.add(get_path(parameter), "must be names of optimizers, not a range", "as in {values: [sgd, adam]}")
        return
    if parameter.name.startswith(DATA_PREFIX) and parameter.when:
        faults.add((*get_path(parameter), "when"), "can't be used with `data.*` parameters", "leave it out")
    if kind is not None:
        for path, value in list_limits(parameter, faults):
            faults.check_value(kind, path, value)


def _needs_reals(name: str) -> bool:
    schema = KINDS[name].json_schema() if name in KINDS else {}
    return "number" in (schema.get("type"), *(option["type"] for option in schema.get("anyOf", ())))


def _convert_to_reals(parameter: Parameter) -> Parameter:
    """Return `parameter` with 0.0 in place of 0 if its argument in Keras is a real number, like `momentum`."""
    drawn = parameter.distribution
    if not _needs_reals(parameter.name):
        return parameter
    if isinstance(drawn, Categorical):
        choices = (float(value) if type(value) is int else value for value in drawn.choices)
        return replace(parameter, distribution=replace(drawn, choices=tuple(choices)))
    if isinstance(drawn, Int) and not drawn.log:  # the same values: a log range has no step
        return replace(parameter, distribution=Float(float(drawn.low), float(drawn.high), step=float(drawn.step)))
    return parameter


def _warn_of_range(parameter: Parameter, faults: Faults) -> None:
    drawn, path = parameter.distribution, get_path(parameter)
    if isinstance(drawn, Constant):
        return
    if drawn.size == 1:
        value = drawn.values()[0]
        if not parameter.when:
            faults.warn(path, f"has only the value {quote(value)}, so it is the same in every trial")
        return
    # In W&B whole ends give whole numbers. This surprises if Keras accepts real numbers.
    block = faults.root.at(*path).value
    if isinstance(drawn, Int) and _needs_reals(parameter.name) and isinstance(block, dict) and "q" not in block:
        faults.warn(path, f"draws whole numbers only; write `max: {drawn.high}.0` for real numbers")
    if parameter.name == "learning_rate" and isinstance(drawn, Float | Int) and not drawn.log:
        faults.warn(path, "a learning rate is best drawn on a log scale; add `log: true`")
