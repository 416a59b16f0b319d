"""Define the sections and keys of a space file, and its JSON Schema.

Other modules check what sections mean together.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, create_model
from typing_extensions import TypeAliasType

from keras_sweep.data.source import DATA_NAMES
from keras_sweep.search.engines import ENGINES
from keras_sweep.search.pruning import PRUNING_RULES
from keras_sweep.space.data_spec import SOURCES, STRICT, Split, Text, optional
from keras_sweep.space.distributions import Scalar
from keras_sweep.space.search_space import MEASURED
from keras_sweep.space.sweep_spec import EarlyTerminate, Finalists, Finish, SearchSettings, Training
from keras_sweep.space.text import join
from keras_sweep.space_file import keras_tables as tables
from keras_sweep.space_file.faults import Rule, get_fields
from keras_sweep.space_file.keras_tables import (
    ARGUMENTS,
    METRIC_ARGUMENTS,
    OPTIMIZERS,
    Kind,
    list_optimizers_with,
    make_kind,
)

# Supported W&B distributions of a range.
LOG_UNIFORM = ("log_uniform", "log_uniform_values", "q_log_uniform", "q_log_uniform_values")
UNIFORM = ("int_uniform", "uniform", "q_uniform")


Value = TypeAliasType("Value", "Scalar | list[Value]")
AnyValue = Annotated[Value, Rule("a value or a list of values")]
Values = Annotated[list[Value], Field(min_length=1), Rule("a list of values")]
Number = Annotated[int | float, Rule("a number")]  # whole or not, as it stands in the file
Step = Annotated[PositiveInt | PositiveFloat, Rule("a number above 0")]
Shares = Annotated[list[float], Rule("a list of numbers")]
Conditions = Annotated[
    dict[str, Scalar | Values], Field(min_length=1), Rule("a map, as in {optimizer: sgd} or {optimizer: [sgd, adam]}")
]
Widths = Annotated[PositiveInt | Sequence[PositiveInt], Rule("whole numbers of at least 1, as in [128, 64]")]
FunctionName = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.\w+)*:\w+(\.\w+)*$"), Rule("`module:function`")]
Loss = Annotated[str, Rule("a loss of Keras", tables.LOSSES)]
Metric = Annotated[str, Rule("a metric of Keras", tables.METRICS)]
Activation = Annotated[str, Rule("an activation of Keras", tables.ACTIVATIONS)]
ENGINE = make_kind(Annotated[str, Rule("a search engine", ENGINES)])
PRUNING_RULE = make_kind(Annotated[str, Rule(names=PRUNING_RULES)])
DataName = Annotated[str, Rule("a data set that is known", DATA_NAMES)]


class Section(BaseModel):
    """A map with known keys."""

    model_config = {**STRICT, "frozen": True}


class ParameterSection(Section):
    """What every parameter may have. The keys of a parameter are W&B's, besides `log`, `when`, `take`."""

    when: Conditions = optional("the parameter exists only in trials where these others have these values")
    take: Annotated[str, Rule(names=("best", "last"))] = optional(
        "of `epochs`: score each trial's best epoch, or its last"
    )


class ConstantSection(ParameterSection):
    """The same value in every trial."""

    value: AnyValue = Field(description="a constant")
    distribution: Annotated[str, Rule(names=("constant",))] = optional("as in a W&B sweep file")


class ChoiceSection(ParameterSection):
    """One of some values."""

    values: Values = Field(description="one of these", examples=[["sgd", "adam"]])
    probabilities: Shares = optional("how likely each of `values` is, for random draws")
    distribution: Annotated[str, Rule(names=("categorical",))] = optional("as in a W&B sweep file")


class RangeSection(ParameterSection):
    """What lies between two numbers."""

    min: Number = optional("the least value; whole `min` and `max` give whole numbers")
    max: Number = optional("the greatest value, included")
    log: bool = optional("draw uniformly in the logarithm")
    q: Step = optional("only multiples of q")
    distribution: Annotated[str, Rule("a distribution that is known here", (*UNIFORM, *LOG_UNIFORM))] = optional(
        "as in a W&B sweep file"
    )


ParameterForm = ConstantSection | ChoiceSection | RangeSection


class MetricSection(Section):
    """The recorded metric that ranks trials."""

    name: Text = Field(
        description="`val_loss`, or `val_` and one of the metrics", examples=["val_accuracy", "val_loss"]
    )
    goal: Annotated[str, Rule(names=("maximize", "minimize"))] = optional("by default what suits the metric")


class PythonData(Section):
    """Rows from a function of yours."""

    python: FunctionName = Field(description="module:function, beside the space file", examples=["my_data:load"])


class TransformedTarget(Section):
    """A target of numbers, of which the model learns the logarithm or the standardised value."""

    column: Text
    transform: Literal["log", "standard"]


Target = Annotated[Text | TransformedTarget, Rule("a column, or {column: price, transform: log} (or `standard`)")]


def make_data_section(kind: str) -> type[Section]:
    """Make the section of a kind of source."""
    source, fields = SOURCES.find(kind), dict[str, Any]()
    base: type[Section] = PythonData if source.names == "function" else Section
    if base is Section:
        text = "path, relative to the space file" if source.is_path else f"what {kind} reads"
        fields[kind] = (Text, Field(description=text))
    if source.target:
        field = (
            Field(description=source.target) if source.is_table or "target" in source.needs else optional(source.target)
        )
        fields["target"] = (Target if source.is_table else Text, field)
    if source.is_table:
        fields["weights"] = (Text, optional("the column of sample weights: what each row counts"))
    options = get_fields(source.options) if source.options else {}
    fields |= {name: (info.annotation, info) for name, info in options.items()}
    return create_model(f"{kind}_data", __base__=base, __doc__=source.doc, **fields)


class DenseSection(Section):
    """The dense model with fixed arguments."""

    units: int = optional("outputs; by default what the labels need", ge=1)
    activation: Activation = optional("of the output layer; by default what the loss wants")
    hidden: Widths = optional("units of each hidden layer", examples=[[128, 64]])
    hidden_activation: Activation = optional("of every hidden layer")
    dropout: float = optional("share of each hidden layer's outputs that are dropped", ge=0, lt=1)
    l2: float = optional("factor of the L2 penalty on every kernel", ge=0)
    use_bias: bool = optional("whether layers have a bias")


DENSE_ARGUMENTS: Mapping[str, Kind] = {
    name: make_kind(Annotated[field.annotation, field]) for name, field in get_fields(DenseSection).items()
}


class DenseModel(Section):
    """The dense model."""

    dense: DenseSection | None


class WithArguments(Section):
    """A map whose other keys are arguments of what it names."""

    model_config = {"extra": "allow"}
    __pydantic_extra__: dict[str, AnyValue]


class OwnFunction(WithArguments):
    """A model from a function of yours, or a `keras_tuner.HyperModel`; all other keys are its fixed arguments."""

    python: FunctionName = Field(description="module:function, beside the space file", examples=["my_model:build"])


class OwnScore(OwnFunction):
    """A loss or a metric of yours, which takes `y_true` and `y_pred`; all other keys are arguments to make it with."""

    __pydantic_extra__: dict[str, Any]


class LossSection(WithArguments):
    """A loss with arguments, which are those of Keras's class."""

    name: Loss = Field(description="a loss of Keras")


class MetricArguments(WithArguments):
    """A metric with arguments, which are those of Keras's class; it is recorded by its name."""

    name: Annotated[str, Rule("a metric of Keras", tuple(METRIC_ARGUMENTS))] = Field(description="a metric of Keras")


OneLoss = Loss | LossSection | OwnScore
Metrics = list[Metric | MetricArguments | OwnScore]


class SpaceFile(Section):
    """A space file of keras-sweep: which data, which model, what to search, how."""

    data: Any  # the schema lists a form for every kind of source
    split: Split = Field(default_factory=Split)
    model: Literal["dense"] | DenseModel | OwnFunction
    loss: OneLoss | dict[str, OneLoss] = optional(
        "may be left out where the model is yours, and compiles itself; of several outputs a map from their names"
    )
    metrics: Metrics | dict[str, Metrics] = Field(
        default_factory=list, description="recorded beside the loss; of several outputs a map from their names"
    )
    loss_weights: dict[str, PositiveFloat | PositiveInt] = optional(
        "of several outputs: what the loss of each counts in their sum, 1 where it is left out"
    )
    metric: MetricSection | Annotated[list[MetricSection], Field(min_length=1)] = Field(
        description="what ranks trials; in a list further goals follow, which may be "
        f"{join([f'`{name}`' for name in MEASURED], 'or')}, too: then trials make up a front (Pareto)"
    )
    parameters: dict[str, Scalar | ParameterForm | Annotated[list[ParameterForm], Field(min_length=1)]] = Field(
        description="what is searched, and constants; a list has cases, each with a `when`"
    )
    where: list[Text] = Field(
        default_factory=list,
        description="constraints over parameters, which every trial meets",
        examples=[["model.units * model.layers <= 512"]],
    )
    training: Training = Field(default_factory=Training, description="what `fit` does beside the optimizer")
    early_terminate: EarlyTerminate | None = None
    search: SearchSettings = Field(default_factory=SearchSettings)
    finalists: Literal["none"] | Finalists = Field(
        default_factory=Finalists,
        description="the best configurations, trained again with new seeds once the search has ended; left out, they "
        "take at most a quarter of the search's epochs",
    )
    finish: Finish = Field(default_factory=Finish, description="what becomes of the winner")


SECTIONS = tuple(SpaceFile.model_fields)
WANDB_METHODS = {"bayes": "tpe", "grid": "grid", "random": "random"}  # W&B's `method` -> our sampler
# By key at the top of a W&B sweep file that is not used here: what to use instead.
SKIPPED_KEYS: Mapping[str, str] = {
    "program": "the model is `model: {{python: module:function}}`",
    "method": "the sampler is `search: {{sampler: {sampler}}}`",
    "run_cap": "how many trials there are is `search: {{trials: {value}}}`",
    "name": "a sweep has the name of its file, or that of `--name`",
    "description": "a comment says it",
    "command": "`sweep run` has options for what it may change",
    "project": "a folder, `--sweeps-dir`, holds the sweeps that belong together",
    "entity": "a sweep has no owner",
}


def make_space_file_schema() -> dict[str, Any]:
    """Make the JSON Schema of a space file (draft 2020-12)."""
    data: Any = Union[DataName, *(make_data_section(kind) for kind in SOURCES)]
    whole = create_model("SpaceFile", __base__=SpaceFile, __doc__=SpaceFile.__doc__, data=(data, ...))
    schema = whole.model_json_schema()
    early, search = (schema["$defs"][name]["properties"] for name in ("EarlyTerminate", "SearchSettings"))
    early["type"]["enum"] = list(PRUNING_RULES)
    search["engine"]["enum"] = list(ENGINES)
    # Samplers depend on the engine. The schema lists all samplers, and the reader checks the pair.
    search["sampler"]["enum"] = list(dict.fromkeys(name for names in ENGINES.values() for name in names))
    search["sampler"]["description"] = "; ".join(f"{engine}: {join(names)}" for engine, names in ENGINES.items())
    for name in SKIPPED_KEYS:
        schema["properties"][name] = {"description": "a key of a W&B sweep file, which is passed over"}
    names = {
        **dict.fromkeys(("optimizer", "schedule", "warmup", "epochs", "batch_size", "seed"), "how a trial trains"),
        **{name: f"an argument of {_name_optimizers(name)}" for name in ARGUMENTS},
        **{f"model.{name}": "an argument of the dense model" for name in DENSE_ARGUMENTS},
    }
    parameter = schema["properties"]["parameters"].pop("additionalProperties")
    properties = {name: {**parameter, "description": text} for name, text in names.items()}
    schema["properties"]["parameters"].update(
        properties=properties,
        patternProperties={r"^(data|model|loss|training)(\.[A-Za-z_]\w*)+$": parameter},
        additionalProperties=False,
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "keras-sweep space file"}


def _name_optimizers(argument: str) -> str:
    takers = list_optimizers_with(argument)
    return "every optimizer" if len(takers) == len(OPTIMIZERS) else join(takers)
