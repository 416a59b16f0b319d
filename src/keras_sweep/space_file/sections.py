"""The shape of a space file: which sections there are, and those forms of a section that only a file has.

What the parts mean together is checked where each is read; the JSON Schema is made from `SpaceFile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, Field, WithJsonSchema, create_model
from pydantic.dataclasses import dataclass

from keras_sweep.data.names import DATA_NAMES, SOURCES
from keras_sweep.search.engines import ENGINES
from keras_sweep.search.pruning import PRUNING_RULES
from keras_sweep.space.sweep_spec import STRICT, EarlyTerminate, Finalists, Finish, SearchSettings, Split
from keras_sweep.space.text import joined
from keras_sweep.space_file.faults import Rule, Schema, fields_of, one_of, shape
from keras_sweep.space_file.keras_tables import ACTIVATIONS, LOSSES, METRICS, Kind, kind_of

# W&B's distributions that are understood; the others are refused with what to use instead
UNIFORM = ("int_uniform", "uniform", "q_uniform")
LOG_UNIFORM = ("log_uniform", "log_uniform_values", "q_log_uniform", "q_log_uniform_values")


def _holds_map(value: object) -> bool:
    """Whether there is a map in a value of the file: no trial can have it as a value."""
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_map, value)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_source(value: object) -> bool:
    return (
        isinstance(value, str)
        and value.count(":") == 1
        and all(part.isidentifier() for part in value.replace(":", ".").split("."))
    )


def _is_width(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _left_out() -> Any:
    """The default of a key that has none: `null` does not stand for it."""
    return None


Text = Annotated[
    str, shape("text", lambda value: isinstance(value, str) and value != "", {"type": "string", "minLength": 1})
]
Scalar = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
Value = Annotated[
    Any,
    shape(
        "a value or a list of values",
        lambda value: not _holds_map(value),
        {"type": ["string", "number", "boolean", "null", "array"]},
    ),
]
Values = Annotated[
    Any,
    shape(
        "a list of values",
        lambda value: isinstance(value, list) and not _holds_map(value),
        {"type": "array", "minItems": 1},
    ),
]
Number = Annotated[Any, shape("a number", _is_number, {"type": "number"})]  # whole or not, as it stands in the file
Step = Annotated[
    Any,
    shape(
        "a number above 0",
        lambda value: _is_number(value) and value > 0,
        {"type": "number", "exclusiveMinimum": 0},
    ),
]
Shares = Annotated[
    Any,
    shape(
        "a list of numbers",
        lambda value: isinstance(value, list) and all(map(_is_number, value)),
        {"type": "array", "items": {"type": "number"}},
    ),
]
Conditions = Annotated[
    Any,
    shape(
        "a map, as in {optimizer: sgd}",
        lambda value: isinstance(value, dict) and bool(value),
        {"type": "object", "minProperties": 1},
    ),
]
Widths = Annotated[
    Any,
    shape(
        "whole numbers of at least 1, as in [128, 64]",
        lambda value: all(map(_is_width, value if isinstance(value, list | tuple) else [value])),
        {"type": ["integer", "array"], "minimum": 1, "items": {"type": "integer", "minimum": 1}},
    ),
]
Source = Annotated[str, shape("`module:function`", _is_source, {"type": "string", "pattern": r"^[\w.]+:[\w.]+$"})]
Loss = Annotated[str, one_of(LOSSES, "a loss of Keras")]
Metric = Annotated[str, one_of(METRICS, "a metric of Keras")]
Activation = Annotated[Any, one_of(ACTIVATIONS, "an activation of Keras")]
Distribution = Annotated[
    str, one_of(("constant", "categorical", *UNIFORM, *LOG_UNIFORM), "a distribution that is known here")
]
DATA_NAME = one_of(DATA_NAMES, "a data set")


def _samplers() -> Schema:
    """The names of all engines' samplers."""
    return {
        "type": "string",
        "enum": list(dict.fromkeys(name for names in ENGINES.values() for name in names)),
        "description": "; ".join(f"{engine}: {joined(names)}" for engine, names in ENGINES.items()),
    }


# which samplers there are depends on the engine, so `search.py` judges the name
Sampler = Annotated[
    str, Rule(lambda: "the name of a sampler", lambda value: isinstance(value, str), _samplers, lambda _: None)
]


class Section(BaseModel):
    """A map with known keys."""

    model_config = {**STRICT, "frozen": True}


class ParameterSection(Section):
    """What one parameter may be: a constant, a choice or a range. The keys are W&B's, besides `log`, `when`, `take`."""

    value: Value = Field(default_factory=_left_out, description="a constant")
    values: Values = Field(default_factory=_left_out, description="one of these", examples=[["sgd", "adam"]])
    min: Number = Field(
        default_factory=_left_out, description="the least value; whole `min` and `max` give whole numbers"
    )
    max: Number = Field(default_factory=_left_out, description="the greatest value, included")
    log: bool = Field(default_factory=_left_out, description="draw uniformly in the logarithm")
    distribution: Distribution = Field(default_factory=_left_out, description="as in a W&B sweep file")
    q: Step = Field(default_factory=_left_out, description="only multiples of q")
    probabilities: Shares = Field(
        default_factory=_left_out, description="how likely each of `values` is, for random draws"
    )
    when: Conditions = Field(
        default_factory=_left_out,
        description="the parameter exists only in trials where these others have these values",
    )
    take: Annotated[str, one_of(("best", "last"))] = Field(
        default_factory=_left_out, description="of `epochs`: score each trial's best epoch, or its last"
    )


class MetricSection(Section):
    """The recorded metric that ranks trials."""

    name: Text = Field(
        description="`val_loss`, or `val_` and one of the metrics", examples=["val_accuracy", "val_loss"]
    )
    goal: Annotated[str, one_of(("maximize", "minimize"))] = Field(
        default_factory=_left_out, description="by default what suits the metric"
    )


@dataclass(config=STRICT, frozen=True, slots=True)
class EarlyTerminateSection(EarlyTerminate):
    """Stops poor trials early."""

    type: Annotated[str, one_of(PRUNING_RULES)]
    max_iter: int = Field(
        default_factory=_left_out, ge=1, description="epochs of a full trial; with `s` instead of `min_iter`"
    )
    s: int = Field(default_factory=_left_out, ge=1, description="how many rungs, counted down from `max_iter`")


@dataclass(config=STRICT, frozen=True, slots=True)
class SearchSection(SearchSettings):
    """Who asks for trials, how often, and from which seed."""

    engine: Annotated[str, one_of(ENGINES, "a search engine")] = "optuna"
    sampler: Sampler = Field(default_factory=_left_out)


class DataSection(Section):
    """Where rows come from."""

    split: Split = Field(default_factory=Split)


class CsvData(DataSection):
    """A CSV file with a target column."""

    csv: Text = Field(description="path, relative to the space file")
    target: Text = Field(description="the column to predict")


class ParquetData(DataSection):
    """A Parquet file with a target column."""

    parquet: Text = Field(description="path, relative to the space file")
    target: Text = Field(description="the column to predict")


class NpzData(DataSection):
    """Arrays of NumPy."""

    npz: Text = Field(description="path, relative to the space file")
    target: Text = Field(default_factory=_left_out, description="the array to predict")


class PythonData(DataSection):
    """Rows from a function of yours."""

    python: Source = Field(description="module:function, beside the space file", examples=["my_data:load"])


_DATA_FORMS: Mapping[str, type[DataSection]] = {
    "csv": CsvData,
    "parquet": ParquetData,
    "npz": NpzData,
    "python": PythonData,
}


def data_form(kind: str) -> type[DataSection]:
    """The keys that a kind of source takes; those of other packages all take text and a target."""
    if kind in _DATA_FORMS:
        return _DATA_FORMS[kind]
    source: Any = (Text, Field(description=f"what {kind} reads"))
    target: Any = (Text, Field(default_factory=_left_out, description="what is to be predicted"))
    return create_model(f"{kind}_data", __base__=DataSection, **{kind: source, "target": target})


def data_section() -> Any:
    """The type of `data` with every kind of source that there is."""
    return Union[Annotated[str, DATA_NAME], *(data_form(kind) for kind in SOURCES)]


class DenseSection(Section):
    """The dense model with fixed arguments."""

    units: int = Field(default_factory=_left_out, ge=1, description="outputs; by default what the labels need")
    activation: Activation = Field(
        default_factory=_left_out, description="of the output layer; by default what the loss wants"
    )
    hidden: Widths = Field(default_factory=_left_out, description="units of each hidden layer", examples=[[128, 64]])
    hidden_activation: Activation = Field(default_factory=_left_out, description="of every hidden layer")
    dropout: float = Field(
        default_factory=_left_out, ge=0, lt=1, description="share of each hidden layer's outputs that are dropped"
    )
    l2: float = Field(default_factory=_left_out, ge=0, description="factor of the L2 penalty on every kernel")
    use_bias: bool = Field(default_factory=_left_out, description="whether layers have a bias")


DENSE_ARGUMENTS: Mapping[str, Kind] = {
    name: kind_of(Annotated[field.annotation, field]) for name, field in fields_of(DenseSection).items()
}


class DenseModel(Section):
    """The dense model."""

    dense: DenseSection | None


class PythonModel(Section):
    """A model from a function of yours, or a `keras_tuner.HyperModel`; all other keys are its fixed arguments."""

    model_config = {"extra": "allow"}
    __pydantic_extra__: dict[str, Value]

    python: Source = Field(description="module:function, beside the space file", examples=["my_model:build"])


class SpaceFile(Section):
    """A space file of keras-sweep: which data, which model, what to search, how."""

    data: Any  # `data_section`
    split: Split = Field(default_factory=Split)
    model: Literal["dense"] | DenseModel | PythonModel
    loss: Loss
    metrics: list[Metric] = Field(default_factory=list, description="recorded beside the loss")
    metric: MetricSection
    parameters: dict[str, Scalar | ParameterSection] = Field(description="what is searched, and constants")
    early_terminate: EarlyTerminateSection | None = None
    search: SearchSection = Field(default_factory=SearchSection)
    finalists: Literal["none"] | Finalists = Field(
        default_factory=Finalists,
        description="the best recipes, trained again with new seeds once the search has ended; left out, they take at "
        "most a quarter of the search's epochs",
    )
    finish: Finish = Field(default_factory=Finish, description="what becomes of the winner")


SECTIONS = tuple(SpaceFile.model_fields)
