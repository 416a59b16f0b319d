"""A sweep written in Python: the same sections as a space file, with arrays and functions where that names them.

`Spec.to_yaml` writes it as the text of a space file.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from keras_sweep.api.edge import cut_tracebacks
from keras_sweep.api.keras_scores import score_of_keras
from keras_sweep.errors import UsageError
from keras_sweep.process.given import give_arrays, give_function
from keras_sweep.space import distributions


@partial(cut_tracebacks, errors=ValueError)
@dataclass(frozen=True, slots=True)
class Float:
    """Real numbers from `min` to `max`; `log` draws uniformly in the logarithm, `step` keeps to multiples of it.

    `when={"optimizer": "sgd"}` makes the parameter part only of trials with that value (or one of a list).

    Raises ValueError: the range is empty, not finite, or touches zero on a log scale.
    """

    min: float
    max: float
    log: bool = False
    step: float | None = None
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        distributions.Float(self.min, self.max, self.log, self.step)


@partial(cut_tracebacks, errors=ValueError)
@dataclass(frozen=True, slots=True)
class Int:
    """Whole numbers from `min` to `max`, both included; `log` and `when` as of `Float`, `step` counts from `min`.

    Raises ValueError: the range is empty, or touches zero on a log scale.
    """

    min: int
    max: int
    log: bool = False
    step: int = 1
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        distributions.Int(self.min, self.max, self.log, self.step)


@partial(cut_tracebacks, errors=ValueError)
@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values, with equal or given probabilities. A plain list means the same without `when`.

    Raises ValueError: there are no values, two of them are equal, or the probabilities do not fit.
    """

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        weights = tuple(self.probabilities) if self.probabilities is not None else None
        distributions.Categorical(tuple(map(distributions.as_value, self.values)), weights)


@dataclass(frozen=True, slots=True)
class _Search:
    engine: ClassVar[str]
    sampler: str
    trials: int = 64  # in total
    seed: int = 42
    generation: int = 0  # trials that are asked at once; 0: as many as the runner likes
    start: Sequence[Mapping[str, Any] | str] = ()  # points that are tried first; "defaults" of a KerasTuner model
    stop: Mapping[str, float] | None = None  # {"value": 0.86}: a search with such a trial ends
    learn_from: str | os.PathLike[str] = ""  # an earlier sweep, by its name or path, whose trials guide the sampler


@dataclass(frozen=True, slots=True)
class Optuna(_Search):
    """Optuna's samplers (tpe, gp, cmaes, random, grid, qmc, nsgaii), for so many `trials` in total.

    `generation` trials are asked at once; 0 means as many as the runner likes. The points of `start`,
    `[{"optimizer": "adam", "learning_rate": 1e-3}]`, are tried first; the sampler chooses what one leaves out.
    """

    engine: ClassVar[str] = "optuna"
    sampler: str = "tpe"


@dataclass(frozen=True, slots=True)
class KerasTuner(_Search):
    """KerasTuner's oracles: random, bayesian, hyperband, grid. The rest is as of `Optuna`."""

    engine: ClassVar[str] = "keras-tuner"
    sampler: str = "bayesian"


@dataclass(frozen=True, slots=True)
class _TableFile:
    kind: ClassVar[str]
    path: str | os.PathLike[str]
    target: str | Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Parquet(_TableFile):
    """A Parquet file; `target` is the column of labels, `weights` that of sample weights.

    `target={"column": "price", "transform": "log"}` (or "standard") says what the model learns of numbers.
    """

    kind: ClassVar[str] = "parquet"
    weights: str | None = None
    columns: Sequence[str] = ()  # these alone
    drop: Sequence[str] = ()  # not these
    categories: Sequence[str] = ()  # numbers that are names of categories
    missing: Sequence[str | float] = ()  # what stands for no value
    text: str | None = None  # the column of texts that a model of yours takes, and no other
    missing_target: str | None = None  # "drop": without the rows that have none
    decimal: str | None = None  # what stands before a fraction, where columns leave it open: "." or ","
    dates: str | None = None  # "day-first" or "month-first", where columns leave it open


@dataclass(frozen=True, slots=True)
class Csv(Parquet):
    """A CSV file with a header; the rest is as of `Parquet`."""

    kind: ClassVar[str] = "csv"
    separator: str = ","


@dataclass(frozen=True, slots=True)
class Npz(_TableFile):
    """A NumPy .npz file with `x` and `y` (or `x_train`, `y_train`, ...), and `sample_weight` if rows weigh unlike;
    `target` where the labels are not `y`."""

    kind: ClassVar[str] = "npz"
    target: str | None = None


@cut_tracebacks
@dataclass(frozen=True)
class Spec:
    """What is searched, by which data, model and search. `keras_sweep.run` takes it as it takes a space file.

    It is written out as the text of a space file and read by the same reader, so the same rules hold and the same
    faults are listed, all at once. Arrays, and functions that stand in a script or a notebook, are recorded by a
    digest of all that they are made of: a sweep that was begun with others is refused as changed.
    """

    data: Any  # a name, Csv, Parquet, Npz, a function without arguments, (x, y), or ((x, y), (x_test, y_test)), ...
    # By its name of Keras, {"name": ..., "label_smoothing": 0.1}, or Keras's object or class; a function of yours, or
    # {"python": it, ...}; None: the loss with which the model compiles itself. Of several outputs a dict by their names
    loss: Any = None
    # Float, Int, Choice, or a list of cases, each with its `when`; other lists are choices; {"value": [64, 32]} is none
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model: Any = "dense"  # "dense", {"dense": {...}}, a function or HyperModel, or (function, its fixed arguments)
    metrics: Sequence[Any] | Mapping[str, Any] | None = None  # each as `loss`; of several outputs by their names
    maximize: str | None = None  # the metric that ranks, "val_accuracy"; or:
    minimize: str | None = None  # the one of which less is better, "val_loss"
    loss_weights: Mapping[str, float] | None = None  # of several outputs, {"price": 1.0, "kind": 0.2}
    search: Optuna | KerasTuner = field(default_factory=Optuna)
    split: Mapping[str, Any] | None = None  # {"validation": 0.2, "test": 0.2, "seed": 42}, or {"folds": 5}
    where: Sequence[str] = ()  # constraints over parameters, ["model.units * model.layers <= 512"]
    training: Mapping[str, Any] | None = None  # {"early_stopping": {"patience": 3}, "class_weight": "balanced"}
    early_terminate: Mapping[str, Any] | None = None  # {"type": "hyperband", "min_iter": 1, "eta": 3}
    finalists: Mapping[str, int] | str | None = None  # {"top": 5, "seeds": 3}, or "none"
    finish: Mapping[str, Any] | None = None  # {"refit": True, "choose": {"where": "parameters <= 40000"}}
    goals: Mapping[str, str] | None = None  # beside the first: {"parameters": "minimize"}

    @cached_property
    def _of_datasets(self) -> Any:
        """The arrays of datasets, read once, since a dataset that shuffles gives another order each time."""
        from keras_sweep.data.array_sources import rows_of_datasets

        return rows_of_datasets(self.data)

    def to_yaml(self) -> str:
        """The text of the space file that says the same. What only this program holds is named by a digest.

        Raises:
            UsageError: not exactly one of `maximize` and `minimize` is given, or the data or model is of no known kind.
        """
        from keras_sweep.space_file.options import block_yaml

        if (self.maximize is None) == (self.minimize is None):
            raise UsageError(
                "a Spec takes one of `maximize` and `minimize`", hint='For example: maximize="val_accuracy"'
            )
        goal = "maximize" if self.maximize is not None else "minimize"
        first = {"name": self.maximize or self.minimize, "goal": goal}
        further = [{"name": name, "goal": each} for name, each in (self.goals or {}).items()]
        sections: dict[str, Any] = {
            "data": _data_block(self.data if self._of_datasets is None else self._of_datasets),
            "split": self.split or None,
            "model": _model_block(self.model),
            "loss": _by_names(self.loss),
            "metrics": _by_names(self.metrics),
            "loss_weights": self.loss_weights or None,
            "metric": [first, *further] if further else first,
            "parameters": {
                name: {"values": value} if _is_choice(value) else value for name, value in self.parameters.items()
            },
            "where": self.where or None,
            "training": _by_names(self.training) or None,
            "early_terminate": self.early_terminate or None,
            "search": self.search,
            "finalists": self.finalists,
            "finish": self.finish or None,
        }
        return block_yaml({key: plain_value(value) for key, value in sections.items() if value is not None}, width=4096)


def _is_choice(value: Any) -> bool:
    is_list = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) == 1  # of NumPy
    return is_list and not any(isinstance(case, Float | Int | Choice) for case in value)


def _data_block(data: Any) -> Any:
    if isinstance(data, str | _TableFile):
        return data
    given = data if isinstance(data, Mapping) else {"python": data}
    if callable(given.get("python")):
        return {**given, "python": give_function(given["python"], of_rows=True)}
    if isinstance(data, Mapping) and any(isinstance(value, str | os.PathLike) for value in data.values()):
        return data  # the keys of a space file; no array is a text
    if isinstance(data, Mapping | Sequence):
        return {"python": give_arrays(data)}
    raise UsageError(
        f"`data` of a Spec is {type(data).__name__}",
        hint="Give a name, Csv, Parquet, Npz, a function, (x, y), (x, y, sample_weight), ((x, y), (x_test, y_test)), "
        "or datasets that `fit` takes",
    )


def _model_block(model: Any) -> Any:
    if isinstance(model, str):
        return model if ":" not in model else {"python": model}
    if isinstance(model, Mapping):
        return model
    function, arguments = model if isinstance(model, tuple) and len(model) == 2 else (model, {})
    is_model = isinstance(function, getattr(sys.modules.get("keras"), "Model", ()))  # which has weights already
    if not is_model and (callable(function) or callable(getattr(function, "build", None))):  # a HyperModel
        return {"python": give_function(function), **arguments}
    raise UsageError(
        f"`model` of a Spec is {type(model).__name__}",
        hint='Give "dense", {"dense": {...}}, a function that returns a keras.Model, or a keras_tuner.HyperModel',
    )


def _by_names(value: Any) -> Any:
    """The same with functions by the names under which they are given."""
    if isinstance(value, Mapping):
        return {
            key: give_function(one) if key == "python" and callable(one) else _by_names(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return list(map(_by_names, value))
    if not callable(value):
        return value
    return score_of_keras(value) or {"python": give_function(value)}


def plain_value(value: Any) -> Any:
    """What a space file has for a value of a `Spec`. Raises UsageError: YAML can't write it."""
    match value:
        case Float():
            step = {} if value.step is None else {"distribution": "q_uniform", "q": float(value.step)}
            keys = {"min": float(value.min), "max": float(value.max), **step, "log": value.log or None}
        case Int():
            step = {} if value.step == 1 else {"q": value.step}
            keys = {"min": value.min, "max": value.max, **step, "log": value.log or None}
        case Choice():
            weights = None if value.probabilities is None else list(value.probabilities)
            keys = {"values": list(value.values), "probabilities": weights}
        case _Search():
            given = {name: one for name, one in asdict(value).items() if one or name in ("trials", "seed")}
            keys = {"engine": value.engine, **given}
        case _TableFile():
            path = Path(value.path).expanduser().absolute()
            keys = {value.kind: path, **{name: one or None for name, one in asdict(value).items() if name != "path"}}
        case Mapping():
            return {str(key): plain_value(inner) for key, inner in value.items()}
        case list() | tuple() | range():
            return [plain_value(inner) for inner in value]
        case Path():
            return str(value)
        case _:
            return _plain_scalar(value)
    keys["when"] = getattr(value, "when", None) or None
    return {key: plain_value(inner) for key, inner in keys.items() if inner is not None}


def _plain_scalar(value: Any) -> Any:
    if hasattr(value, "tolist"):  # of NumPy, a list too
        return value.tolist()
    if value is None or isinstance(value, str | int | float):
        return value
    hint = "Give numbers, texts, lists and maps; an optimizer by its name; of a callback a function that returns it"
    raise UsageError(f"a space file can't hold {value!r:.100}", hint=hint)
