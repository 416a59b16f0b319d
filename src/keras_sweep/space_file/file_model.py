"""The shape of a space file: which sections there are, and those forms of a section that only a file has.

What the parts mean together is checked in `parameters.py` and `yaml_file.py`; the JSON Schema is made from `SpaceFile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, Field, WithJsonSchema, create_model
from pydantic.dataclasses import dataclass

from keras_sweep.data.names import SOURCES
from keras_sweep.space.sweep_spec import STRICT, EarlyTerminate, Finalists, Finish, SearchSettings, Split
from keras_sweep.space_file.rules import NumberRule, Rule, fields_of, rule_of
from keras_sweep.space_file.value_rules import (
    ACTIVATION,
    CONDITIONS,
    DATA_NAME,
    DISTRIBUTION,
    ENGINE,
    LOSS,
    METRIC,
    PRUNING_RULE,
    SAMPLER,
    SHARES,
    SOURCE,
    TEXT,
    VALUE,
    VALUES,
    WIDTHS,
)

Scalar = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
Text = Annotated[str, TEXT]


class Section(BaseModel):
    """A map with known keys."""

    model_config = {**STRICT, "frozen": True}


class ParameterSection(Section):
    """What one parameter may be: a constant, a choice or a range. The keys are W&B's, besides `log`, `when`, `take`."""

    value: Annotated[Any, VALUE] = Field(default=None, description="a constant")
    values: Annotated[Any, VALUES] = Field(default=None, description="one of these", examples=[["sgd", "adam"]])
    min: Annotated[Any, NumberRule()] = Field(
        default=None, description="the least value; whole `min` and `max` give whole numbers"
    )
    max: Annotated[Any, NumberRule()] = Field(default=None, description="the greatest value, included")
    log: bool | None = Field(default=None, description="draw uniformly in the logarithm")
    distribution: Annotated[str | None, DISTRIBUTION] = Field(default=None, description="as in a W&B sweep file")
    q: Annotated[Any, NumberRule(gt=0)] = Field(default=None, description="only multiples of q")
    probabilities: Annotated[Any, SHARES] = Field(
        default=None, description="how likely each of `values` is, for random draws"
    )
    when: Annotated[Any, CONDITIONS] = Field(
        default=None, description="the parameter exists only in trials where these others have these values"
    )
    take: Literal["best", "last"] | None = Field(
        default=None, description="of `epochs`: score each trial's best epoch, or its last"
    )


class MetricSection(Section):
    """The recorded metric that ranks trials."""

    name: Text = Field(
        description="`val_loss`, or `val_` and one of the metrics", examples=["val_accuracy", "val_loss"]
    )
    goal: Literal["maximize", "minimize"] | None = Field(default=None, description="by default what suits the metric")


@dataclass(config=STRICT, frozen=True, slots=True)
class EarlyTerminateSection(EarlyTerminate):
    """Stops poor trials early."""

    type: Annotated[str, PRUNING_RULE]
    max_iter: int | None = Field(
        default=None, ge=1, description="epochs of a full trial; with `s` instead of `min_iter`"
    )
    s: int | None = Field(default=None, ge=1, description="how many rungs, counted down from `max_iter`")


@dataclass(config=STRICT, frozen=True, slots=True)
class SearchSection(SearchSettings):
    """Who asks for trials, how often, and from which seed."""

    engine: Annotated[str, ENGINE] = "optuna"
    sampler: Annotated[Any, SAMPLER] = None


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
    target: Annotated[str | None, TEXT] = Field(default=None, description="the array to predict")


class PythonData(DataSection):
    """Rows from a function of yours."""

    python: Annotated[str, SOURCE] = Field(
        description="module:function, beside the space file", examples=["my_data:load"]
    )


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
    source: Any = (Annotated[str, TEXT], Field(description=f"what {kind} reads"))
    target: Any = (Annotated[str | None, TEXT], Field(default=None, description="what is to be predicted"))
    return create_model(f"{kind}_data", __base__=DataSection, **{kind: source, "target": target})


def data_section() -> Any:
    """The type of `data` with every kind of source that there is."""
    return Union[Annotated[str, DATA_NAME], *(data_form(kind) for kind in SOURCES)]


class DenseSection(Section):
    """The dense model with fixed arguments."""

    units: int | None = Field(default=None, ge=1, description="outputs; by default what the labels need")
    activation: Annotated[Any, ACTIVATION] = Field(
        default=None, description="of the output layer; by default what the loss wants"
    )
    hidden: Annotated[Any, WIDTHS] = Field(default=None, description="units of each hidden layer", examples=[[128, 64]])
    hidden_activation: Annotated[Any, ACTIVATION] = Field(default=None, description="of every hidden layer")
    dropout: float | None = Field(
        default=None, ge=0, lt=1, description="share of each hidden layer's outputs that are dropped"
    )
    l2: float | None = Field(default=None, ge=0, description="factor of the L2 penalty on every kernel")
    use_bias: bool | None = Field(default=None, description="whether layers have a bias")


DENSE_ARGUMENTS: Mapping[str, Rule] = {name: rule_of(field) for name, field in fields_of(DenseSection).items()}


class DenseModel(Section):
    """The dense model."""

    dense: DenseSection | None


class PythonModel(Section):
    """A model from a function of yours, or a `keras_tuner.HyperModel`; all other keys are its fixed arguments."""

    model_config = {"extra": "allow"}
    __pydantic_extra__: dict[str, Annotated[Any, VALUE]]

    python: Annotated[str, SOURCE] = Field(
        description="module:function, beside the space file", examples=["my_model:build"]
    )


class SpaceFile(Section):
    """A space file of keras-sweep: which data, which model, what to search, how."""

    data: Any  # `data_section`
    split: Split = Field(default_factory=Split)
    model: Literal["dense"] | DenseModel | PythonModel
    loss: Annotated[str, LOSS]
    metrics: list[Annotated[str, METRIC]] = Field(default_factory=list, description="recorded beside the loss")
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
