"""Define the sections and keys of a space file, and the JSON Schema. Other modules check sections together."""

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
from keras_sweep.space_file.faults import MODULE_FUNCTION, Rule, get_fields
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
BESIDE = "`module:function`, in a file beside the space file or in an installed package"
WANDB_NAME = "W&B's name of the distribution; not needed"


Value = TypeAliasType("Value", "Scalar | list[Value]")
AnyValue = Annotated[Value, Rule("a value or a list of values")]
Values = Annotated[list[Value], Field(min_length=1), Rule("a list of values")]
Number = Annotated[int | float, Rule("a number")]  # whole or not, as in the file
Step = Annotated[PositiveInt | PositiveFloat, Rule("a number above 0")]
Shares = Annotated[list[float], Rule("a list of numbers")]
Conditions = Annotated[
    dict[str, Scalar | Values], Field(min_length=1), Rule("a map, as in {optimizer: sgd} or {optimizer: [sgd, adam]}")
]
Widths = Annotated[PositiveInt | Sequence[PositiveInt], Rule("whole numbers of at least 1, as in [128, 64]")]
FunctionName = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.\w+)*:\w+(\.\w+)*$"), Rule(MODULE_FUNCTION)]
Direction = Annotated[str, Rule(names=("maximize", "minimize"))]
Loss = Annotated[str, Rule("a loss of Keras", tables.LOSSES)]
Metric = Annotated[str, Rule("a metric of Keras", tables.METRICS)]
Activation = Annotated[str, Rule("an activation of Keras", tables.ACTIVATIONS)]
ENGINE = make_kind(Annotated[str, Rule("a search engine", ENGINES)])
PRUNING_RULE = make_kind(Annotated[str, Rule(names=PRUNING_RULES)])
DataName = Annotated[str, Rule("a known data set", DATA_NAMES)]


class Section(BaseModel):
    """A map that has only the keys that its class defines."""

    model_config = {**STRICT, "frozen": True}


class ParameterSection(Section):
    """Keys that every parameter may have. W&B has the same keys, except `log`, `when` and `take`."""

    when: Conditions = optional("use the parameter only in trials where other parameters have these values")
    take: Annotated[str, Rule(names=("best", "last"))] = optional("for `epochs`: the scored epoch; `last` by default")


class ConstantSection(ParameterSection):
    """A constant: the same value in every trial."""

    value: AnyValue = Field(description="the value in every trial")
    distribution: Annotated[str, Rule(names=("constant",))] = optional(WANDB_NAME)


class ChoiceSection(ParameterSection):
    """A choice from a list of values."""

    values: Values = Field(description="the values to choose from", examples=[["sgd", "adam"]])
    probabilities: Shares = optional("how likely each value is; only for Optuna's `random` sampler")
    distribution: Annotated[str, Rule(names=("categorical",))] = optional(WANDB_NAME)


class RangeSection(ParameterSection):
    """A range between two numbers."""

    min: Number = optional("the lowest value; whole `min` and `max` give whole numbers only")
    max: Number = optional("the highest value, included")
    log: bool = optional("draw evenly on a log scale: as often from 0.001 to 0.01 as from 0.01 to 0.1")
    q: Step = optional("the step: draw only multiples of `q`")
    distribution: Annotated[str, Rule("a supported distribution", (*UNIFORM, *LOG_UNIFORM))] = optional(WANDB_NAME)


ParameterForm = ConstantSection | ChoiceSection | RangeSection


class MetricSection(Section):
    """A metric, and whether more or less is better."""

    name: Text = Field(description="`val_loss`, or `val_` and a metric", examples=["val_accuracy", "val_loss"])
    goal: Direction = optional("whether more or less is better; needed only for your own metric")


class PythonData(Section):
    """Rows from your own function."""

    python: FunctionName = Field(description=BESIDE, examples=["my_data:load"])


class TransformedTarget(Section):
    """A numeric target that the model learns on another scale."""

    column: Text = Field(description="the column to predict")
    transform: Literal["log", "standard"] = Field(description="learn log(1 + target), or the standardised target")


Target = Annotated[Text | TransformedTarget, Rule("a column, or {column: price, transform: log} (or `standard`)")]


def make_data_section(kind: str) -> type[Section]:
    """Create the section class for a kind of data source: "csv", "images", ..."""
    source, fields = SOURCES.find(kind), dict[str, Any]()
    base: type[Section] = PythonData if source.names == "function" else Section
    if base is Section:
        text = "path, relative to the space file" if source.is_path else "the query, or other input of the source"
        fields[kind] = (Text, Field(description=text))
    if source.target:
        field = (
            Field(description=source.target) if source.is_table or "target" in source.needs else optional(source.target)
        )
        fields["target"] = (Target if source.is_table else Text, field)
    if source.is_table:
        fields["weights"] = (Text, optional("the column of sample weights: how much each row counts"))
    options = get_fields(source.options) if source.options else {}
    fields |= {name: (info.annotation, info) for name, info in options.items()}
    return create_model(f"{kind}_data", __base__=base, __doc__=source.doc, **fields)


class DenseSection(Section):
    """Arguments of the dense model that are the same in every trial."""

    units: int = optional("number of outputs; by default what the labels need", ge=1)
    activation: Activation = optional("activation of the output layer; by default what the loss needs")
    hidden: Widths = optional("units of each hidden layer; by default no hidden layer", examples=[[128, 64]])
    hidden_activation: Activation = optional("activation of the hidden layers; `relu` by default")
    dropout: float = optional("share of each hidden layer's outputs to drop; 0 by default", ge=0, lt=1)
    l2: float = optional("factor of the L2 penalty on the kernels; 0 by default", ge=0)
    use_bias: bool = optional("whether layers have a bias; true by default")


DENSE_ARGUMENTS: Mapping[str, Kind] = {
    name: make_kind(Annotated[field.annotation, field]) for name, field in get_fields(DenseSection).items()
}


class DenseModel(Section):
    """The dense model: fully connected layers."""

    dense: DenseSection | None = Field(description="fixed arguments; they can also be parameters, as in `model.hidden`")


class WithArguments(Section):
    """A map that names a function or class. All other keys are arguments of the function or class."""

    model_config = {"extra": "allow"}
    __pydantic_extra__: dict[str, AnyValue]


class OwnFunction(WithArguments):
    """Your own function. For `model`, it returns a model, or is a `keras_tuner.HyperModel`. For `objective`, it returns
    a number or a dict of metrics. Other keys are its arguments."""

    python: FunctionName = Field(description=BESIDE, examples=["my_model:build"])


class OwnScore(OwnFunction):
    """Your own loss or metric, which takes `y_true` and `y_pred`. Other keys are arguments."""

    __pydantic_extra__: dict[str, Any]


class LossSection(WithArguments):
    """A loss of Keras with arguments of its class."""

    name: Loss = Field(description="the name of the loss")


class MetricArguments(WithArguments):
    """A metric of Keras with arguments of its class. The record lists the values under `name`."""

    name: Annotated[str, Rule("a metric of Keras", tuple(METRIC_ARGUMENTS))] = Field(description="its name")


OneLoss = Loss | LossSection | OwnScore
Metrics = list[Metric | MetricArguments | OwnScore]


class SpaceFile(Section):
    """A space file of keras-sweep: the data, the model, what to search, and how."""

    data: Any = None  # the schema lists a form for every kind of source
    split: Split = Field(default_factory=Split)
    model: Literal["dense"] | DenseModel | OwnFunction = optional("The model of every trial.")
    loss: OneLoss | dict[str, OneLoss] = optional(
        "What training minimizes, or a map from outputs to losses. Not needed if your own model compiles itself."
    )
    metrics: Metrics | dict[str, Metrics] = Field(
        default_factory=list, description="Metrics to record beside the loss, or a map from outputs to lists."
    )
    loss_weights: dict[str, PositiveFloat | PositiveInt] = optional(
        "A map from outputs to the weights of their losses in the sum; 1 by default."
    )
    objective: OwnFunction = optional("A function of the parameters to search, in place of `data`, `model` and `loss`.")
    metric: MetricSection | Annotated[list[MetricSection], Field(min_length=1)] = Field(
        description="The metric that ranks trials. In a list, further goals follow: metrics, or "
        f"{join([f'`{name}`' for name in MEASURED], 'or')}. The best trials then form a Pareto front."
    )
    parameters: dict[str, Scalar | ParameterForm | Annotated[list[ParameterForm], Field(min_length=1)]] = Field(
        description="What to search, and constants. A list has the cases of a parameter, each with a `when`."
    )
    where: Text | list[Text] = Field(
        default_factory=list,
        description="Constraints on parameters that each trial meets. `parameters` is the number of a model's weights.",
        examples=[["model.units * model.layers <= 512", "parameters <= 1e6"]],
    )
    training: Training = Field(default_factory=Training)
    early_terminate: EarlyTerminate | None = None
    search: SearchSettings = Field(default_factory=SearchSettings)
    finalists: Literal["none"] | Finalists = Field(
        default_factory=Finalists,
        description="Without this section, finalists take at most a quarter of the search's epochs; `none` for none.",
    )
    finish: Finish = Field(default_factory=Finish)


SECTIONS = tuple(SpaceFile.model_fields)
OF_A_MODEL = ("data", "split", "model", "loss", "metrics", "loss_weights", "training")  # keys without `objective`
WANDB_METHODS = {"bayes": "tpe", "grid": "grid", "random": "random"}  # W&B's `method` -> our sampler
# Key at the top of a W&B sweep file that `sweep` skips -> what to use instead.
SKIPPED_KEYS: Mapping[str, str] = {
    "program": "use `model: {{python: module:function}}`",
    "method": "use `search: {{sampler: {sampler}}}`",
    "run_cap": "use `search: {{trials: {value}}}`",
    "name": "use the name of the file, or `--name`",
    "description": "use a comment",
    "command": "use options of `sweep run`",
    "project": "use a folder for each project, `--sweeps-dir`",
    "entity": "sweeps have no owner",
}
FIT_PARAMETERS: Mapping[str, str] = {
    "optimizer": "an optimizer of Keras; `rmsprop` by default",
    "learning_rate": "the learning rate, with `schedule` its highest value; by default as the optimizer has it",
    "schedule": "how the learning rate falls: `constant` (default), `cosine`, `exponential` or `linear`",
    "warmup": "share of the steps in which the learning rate rises from 0; 0 by default",
    "epochs": "how many times training sees all training rows; 5 by default",
    "batch_size": "number of rows in a step; 32 by default",
    "seed": "seed of initial weights and shuffling; `search.seed` by default",
}


def make_space_file_schema() -> dict[str, Any]:
    """Return the JSON Schema of space files (draft 2020-12), with the names of installed plugins."""
    data: Any = Union[DataName, *(make_data_section(kind) for kind in SOURCES)]
    data = (data, optional("Where the rows come from."))
    whole = create_model("SpaceFile", __base__=SpaceFile, __doc__=SpaceFile.__doc__, data=data)
    schema = whole.model_json_schema()
    early, search = (schema["$defs"][name]["properties"] for name in ("EarlyTerminate", "SearchSettings"))
    early["type"]["enum"] = list(PRUNING_RULES)
    search["engine"]["enum"] = list(ENGINES)
    # Samplers depend on the engine. The schema lists all samplers, and the reader checks the pair.
    search["sampler"]["enum"] = list(dict.fromkeys(name for names in ENGINES.values() for name in names))
    samplers = "; ".join(f"{engine}: {join(names)}" for engine, names in ENGINES.items())
    search["sampler"]["description"] = f"the algorithm that suggests trials. {samplers}"
    for name, text in SKIPPED_KEYS.items():
        instead = text.format(sampler="tpe", value=64)
        schema["properties"][name] = {"description": f"A key of W&B sweep files, which `sweep` skips; {instead}."}
    names = {
        **FIT_PARAMETERS,
        **{name: FIT_PARAMETERS.get(name, f"an argument of {_name_optimizers(name)}") for name in ARGUMENTS},
        **{f"model.{name}": str(field.description) for name, field in get_fields(DenseSection).items()},
    }
    parameter = schema["properties"]["parameters"].pop("additionalProperties")
    prefixed = r"^(data|model|loss|training)(\.[A-Za-z_]\w*)+$"
    properties = {name: {**parameter, "description": text} for name, text in names.items()}
    schema["properties"]["parameters"].update(
        properties=properties,
        patternProperties={prefixed: parameter},
        additionalProperties=parameter,
    )
    known = {"parameters": {"propertyNames": {"anyOf": [{"enum": list(names)}, {"pattern": prefixed}]}}}
    schema |= {"if": {"required": ["objective"]}, "then": {"properties": dict.fromkeys(OF_A_MODEL, False)}}
    schema["else"] = {"required": ["data", "model"], "properties": known}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "keras-sweep space file"}


def _name_optimizers(argument: str) -> str:
    takers = list_optimizers_with(argument)
    return "every optimizer" if len(takers) == len(OPTIMIZERS) else join(takers)
