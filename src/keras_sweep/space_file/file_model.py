"""The shape of a space file as pydantic models: which keys each part has, and the type of each.

What the parts mean together is checked in `parameters.py` and `yaml_file.py`; the JSON Schema is made from these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from keras_sweep.data.names import DATA_NAMES
from keras_sweep.space.plain_text import did_you_mean, listed, shown
from keras_sweep.space.sweep_spec import ENGINES, Goal
from keras_sweep.space_file.keras_names import ACTIVATIONS, LOSSES, METRICS

SEEDS = 2**32  # `keras.utils.set_random_seed` takes 0 .. 2**32 - 1
MOST_TRIALS = 1_000_000

DISTRIBUTIONS: tuple[str, ...] = (
    "constant",
    "categorical",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "log_uniform_values",
    "q_log_uniform",
    "q_log_uniform_values",
)  # those of W&B that are understood; the others are refused with what to use instead


def _checked(check: Callable[[Any], bool], rule: str) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if not check(value):
            raise PydanticCustomError("rule", "{rule}", {"rule": f"{rule}, but got {shown(value)}"})
        return value

    return BeforeValidator(validate)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(low: int, high: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _one_of(names: tuple[str, ...], what: str) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if not isinstance(value, str) or value not in names:
            hint = did_you_mean(value, names) if isinstance(value, str) else None
            rule = f"must be {what}, but got {shown(value)}"
            if hint is None:
                hint = f"one of {listed(names)}"
            raise PydanticCustomError("rule", "{rule}", {"rule": rule, "hint": hint})
        return value

    return BeforeValidator(validate)


def _choice(value: Any) -> bool:
    """A value that a parameter may have: a scalar, or a list (of lists) of scalars."""
    if isinstance(value, list):
        return all(_choice(item) for item in value)
    return not isinstance(value, dict)


def _enum(names: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(names)})


_SCALAR_TYPES = ["string", "number", "boolean", "null"]
Choice = Annotated[
    Any,
    _checked(_choice, "must be a value or a list of values"),
    WithJsonSchema({"type": [*_SCALAR_TYPES, "array"]}),
]
Number = Annotated[Any, _checked(_number, "must be a number"), WithJsonSchema({"type": "number"})]
Text = Annotated[
    Any,
    _checked(lambda value: isinstance(value, str) and bool(value), "must be text"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
Flag = Annotated[
    Any, _checked(lambda value: isinstance(value, bool), "must be true or false"), WithJsonSchema({"type": "boolean"})
]
Seed = Annotated[
    Any,
    _checked(_whole(0, SEEDS - 1), "must be a whole number from 0 to 4294967295"),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": SEEDS - 1}),
]
Positive = Annotated[
    Any, _checked(_whole(1), "must be a whole number of at least 1"), WithJsonSchema({"type": "integer", "minimum": 1})
]
Loss = Annotated[Any, _one_of(LOSSES, "a loss of Keras"), _enum(LOSSES)]
Metric = Annotated[Any, _one_of(METRICS, "a metric of Keras"), _enum(METRICS)]
Source = Annotated[
    Any,
    _checked(
        lambda value: (
            isinstance(value, str)
            and value.count(":") == 1
            and all(part.isidentifier() for part in value.replace(":", ".").split("."))
        ),
        "must be `module:function`",
    ),
    WithJsonSchema({"type": "string", "pattern": r"^[\w.]+:[\w.]+$", "examples": ["my_model:build"]}),
]


class Block(BaseModel):
    """A map with known keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParameterBlock(Block):
    """What one parameter may be: a constant, a choice or a range. The keys are W&B's, besides `log`, `when`, `take`."""

    value: Choice = Field(default=None, description="a constant")
    values: Annotated[
        Any,
        _checked(lambda value: isinstance(value, list) and all(map(_choice, value)), "must be a list of values"),
        WithJsonSchema({"type": "array", "minItems": 1}),
    ] = Field(default=None, description="one of these", examples=[["sgd", "adam"]])
    min: Number = Field(default=None, description="the least value; whole `min` and `max` give whole numbers")
    max: Number = Field(default=None, description="the greatest value, included")
    log: Flag = Field(default=None, description="draw uniformly in the logarithm")
    distribution: Annotated[Any, _one_of(DISTRIBUTIONS, "a distribution that is known here"), _enum(DISTRIBUTIONS)] = (
        Field(default=None, description="as in a W&B sweep file")
    )
    q: Annotated[
        Any,
        _checked(lambda value: _number(value) and value > 0, "must be a number above 0"),
        WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
    ] = Field(default=None, description="only multiples of q")
    probabilities: Annotated[
        Any,
        _checked(lambda value: isinstance(value, list) and all(map(_number, value)), "must be a list of numbers"),
        WithJsonSchema({"type": "array", "items": {"type": "number"}}),
    ] = Field(default=None, description="how likely each of `values` is, for random draws")
    when: Annotated[
        Any,
        _checked(lambda value: isinstance(value, dict) and bool(value), "must be a map, as in {optimizer: sgd}"),
        WithJsonSchema({"type": "object", "minProperties": 1}),
    ] = Field(default=None, description="the parameter exists only in trials where these others have these values")
    take: Annotated[Any, _one_of(("best", "last"), "best or last"), _enum(("best", "last"))] = Field(
        default=None, description="of `epochs`: score each trial's best epoch, or its last"
    )


class MetricBlock(Block):
    """The recorded metric that ranks trials."""

    name: Text = Field(
        description="`val_loss`, or `val_` and one of the metrics", examples=["val_accuracy", "val_loss"]
    )
    goal: Annotated[Any, _one_of(tuple(Goal), "maximize or minimize"), _enum(tuple(goal.value for goal in Goal))] = (
        Field(default=None, description="by default what suits the metric")
    )


class EarlyTerminateBlock(Block):
    """Stops poor trials early."""

    type: Annotated[
        Any,
        _one_of(("hyperband", "median", "successive_halving"), "a known type"),
        _enum(("hyperband", "median", "successive_halving")),
    ]
    min_iter: Positive = Field(default=None, description="epochs before the first rung")
    max_iter: Positive = Field(default=None, description="epochs of a full trial; with `s` instead of `min_iter`")
    s: Positive = Field(default=None, description="how many rungs, counted down from `max_iter`")
    eta: Annotated[
        Any,
        _checked(_whole(2), "must be a whole number of at least 2"),
        WithJsonSchema({"type": "integer", "minimum": 2}),
    ] = Field(default=3, description="the reduction factor: of so many trials one goes on")


class SplitBlock(Block):
    """How rows are held out where the source brings no split."""

    validation: Annotated[
        Any,
        _checked(lambda value: _number(value) and 0 < value < 1, "must be a share above 0 and below 1"),
        WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
    ] = Field(default=0.2, description="share of the rows that are not test rows")
    test: Annotated[
        Any,
        _checked(lambda value: _number(value) and 0 <= value < 1, "must be a share of at least 0 and below 1"),
        WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
    ] = Field(default=0.2, description="share of all rows")
    seed: Seed = 42
    stratify: Flag = Field(default=False, description="keep the shares of the classes")


class CsvData(Block):
    """A CSV file with a target column."""

    csv: Text = Field(description="path, relative to the space file")
    target: Text = Field(description="the column to predict")
    split: SplitBlock = Field(default_factory=SplitBlock)


class ParquetData(Block):
    """A Parquet file with a target column."""

    parquet: Text = Field(description="path, relative to the space file")
    target: Text = Field(description="the column to predict")
    split: SplitBlock = Field(default_factory=SplitBlock)


class NpzData(Block):
    """Arrays of NumPy."""

    npz: Text = Field(description="path, relative to the space file")
    target: Text = Field(default=None, description="the array to predict")
    split: SplitBlock = Field(default_factory=SplitBlock)


class PythonData(Block):
    """Rows from a function of yours."""

    python: Source = Field(description="module:function, beside the space file")
    split: SplitBlock = Field(default_factory=SplitBlock)


DATA_BLOCKS: dict[str, type[Block]] = {"csv": CsvData, "parquet": ParquetData, "npz": NpzData, "python": PythonData}


_WIDTH: dict[str, Any] = {"type": "integer", "minimum": 1}
_WIDTHS: dict[str, Any] = {
    "type": ["integer", "array"],
    "minimum": 1,
    "items": _WIDTH,
    "examples": [[128, 64]],
}
_ACTIVATION: dict[str, Any] = {"type": "string", "enum": list(ACTIVATIONS)}
_SHARE: dict[str, Any] = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}


class DenseBlock(Block):
    """The dense model with fixed arguments. `dense_arguments.py` checks their values, here and as parameters alike."""

    units: Choice = Field(None, description="outputs; by default what the labels need", json_schema_extra=_WIDTH)
    activation: Choice = Field(
        None, description="of the output layer; by default what the loss wants", json_schema_extra=_ACTIVATION
    )
    hidden: Choice = Field(None, description="units of each hidden layer", json_schema_extra=_WIDTHS)
    hidden_activation: Choice = Field(None, description="of every hidden layer", json_schema_extra=_ACTIVATION)
    dropout: Choice = Field(
        None, description="share of each hidden layer's outputs that are dropped", json_schema_extra=_SHARE
    )
    l2: Choice = Field(
        None, description="factor of the L2 penalty on every kernel", json_schema_extra={"type": "number", "minimum": 0}
    )
    use_bias: Choice = Field(None, description="whether layers have a bias", json_schema_extra={"type": "boolean"})


class DenseModel(Block):
    """The dense model."""

    dense: DenseBlock | None


class PythonModel(BaseModel):
    """A model from a function of yours, or a `keras_tuner.HyperModel`; all other keys are its fixed arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Choice]

    python: Source = Field(description="module:function, beside the space file")


class SearchBlock(Block):
    """Who asks for trials, how often, and from which seed."""

    engine: Annotated[Any, _one_of(tuple(ENGINES), "a search engine"), _enum(tuple(ENGINES))] = "optuna"
    sampler: Annotated[
        Any,
        _checked(lambda value: isinstance(value, str), "must be the name of a sampler"),
        _enum(tuple(dict.fromkeys(name for names in ENGINES.values() for name in names))),
    ] = Field(default=None, description="; ".join(f"{engine}: {listed(names)}" for engine, names in ENGINES.items()))
    trials: Annotated[
        Any,
        _checked(_whole(1, MOST_TRIALS), f"must be a whole number from 1 to {MOST_TRIALS:,}"),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_TRIALS}),
    ] = Field(default=64, description="trials in total")
    seed: Seed = Field(default=42, description="of the sampler, and of every trial that has no parameter `seed`")


Scalar = Annotated[Any, WithJsonSchema({"type": _SCALAR_TYPES})]


class SpaceFile(Block):
    """A space file of keras-sweep: which data, which model, what to search, how."""

    data: (
        Annotated[Any, _one_of(DATA_NAMES, "a data set"), _enum(DATA_NAMES)]
        | CsvData
        | ParquetData
        | NpzData
        | PythonData
    )
    split: SplitBlock = Field(default_factory=SplitBlock)
    model: Literal["dense"] | DenseModel | PythonModel
    loss: Loss
    metrics: list[Metric] = Field(default_factory=list, description="recorded beside the loss")
    metric: MetricBlock
    parameters: dict[str, Scalar | ParameterBlock] = Field(description="what is searched, and constants")
    early_terminate: EarlyTerminateBlock | None = None
    search: SearchBlock = Field(default_factory=SearchBlock)
