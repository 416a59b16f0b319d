"""A sweep written in Python: the same sections as a space file, with arrays and functions where that names them.

`Spec.to_yaml` writes it as the text of a space file.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import Any, TypeVar

from keras_sweep.api.edge import cut_tracebacks
from keras_sweep.api.keras_scores import score_of_keras
from keras_sweep.errors import UsageError
from keras_sweep.process.given import give_arrays, give_function
from keras_sweep.space import distributions

PathLike = str | os.PathLike[str]
T = TypeVar("T")


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
        distributions.Categorical(tuple(map(distributions.to_value, self.values)), weights)


class _Keys(dict[str, Any]):
    """A map of a space file, whose keys are checked where it is read; what is None or empty is left out."""

    def __init__(self, **keys: Any) -> None:
        super().__init__({name: value for name, value in keys.items() if value or value == 0})


class Optuna(_Keys):
    """Optuna's samplers (tpe, gp, cmaes, random, grid, qmc, nsgaii), for so many `trials` in total.

    `settings` are the other keys of `search` in a space file. `generation` trials are asked at once; 0 means as many as
    the runner likes. The points of `start`, `[{"optimizer": "adam", "learning_rate": 1e-3}]`, are tried first; the
    sampler chooses what one leaves out. `stop={"value": 0.86}` ends a search with such a trial. `learn_from` is an
    earlier sweep, by its name or path, whose trials guide the sampler.
    """

    def __init__(self, sampler: str = "tpe", trials: int = 64, seed: int = 42, **settings: Any) -> None:
        super().__init__(engine="optuna", sampler=sampler, trials=trials, seed=seed, **settings)


class KerasTuner(_Keys):
    """KerasTuner's oracles: random, bayesian, hyperband, grid. The rest is as of `Optuna`."""

    def __init__(self, sampler: str = "bayesian", trials: int = 64, seed: int = 42, **settings: Any) -> None:
        super().__init__(engine="keras-tuner", sampler=sampler, trials=trials, seed=seed, **settings)


class Csv(_Keys):
    """A CSV file with a header; `target` is the column of labels, `weights` the column of sample weights.

    `target={"column": "price", "transform": "log"}` (or "standard") says what the model learns of numbers. `options`
    are the other keys of `data: {csv: ...}` in a space file.
    """

    def __init__(self, path: PathLike, target: str | Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(csv=_file(path), target=target, **options)


class Parquet(_Keys):
    """A Parquet file; the rest is as of `Csv`."""

    def __init__(self, path: PathLike, target: str | Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(parquet=_file(path), target=target, **options)


class Npz(_Keys):
    """A NumPy .npz file with `x` and `y` (or `x_train`, `y_train`, ...), and `sample_weight` if rows weigh unlike;
    `target` where the labels are not `y`."""

    def __init__(self, path: PathLike, target: str | None = None) -> None:
        super().__init__(npz=_file(path), target=target)


def _file(path: PathLike) -> str:
    return str(Path(path).expanduser().absolute())


def _take_others(kind: type[T]) -> type[T]:
    """The class, whose other keywords become its field `others`: its reader says what they should have been."""
    init, known = kind.__init__, {each.name for each in fields(kind)}  # type: ignore[arg-type]

    @wraps(init)
    def __init__(self: T, *sections: Any, **named: Any) -> None:
        others = {name: named.pop(name) for name in named.keys() - known}
        init(self, *sections, **({"others": others} if others else {}), **named)

    setattr(kind, "__init__", __init__)  # noqa: B010
    return kind


@cut_tracebacks
@_take_others
@dataclass(frozen=True)
class Spec:
    """What is searched, by which data, model and search. `keras_sweep.run` takes it as it takes a space file.

    Its keys are those of a space file, and each takes what the file has there: `metric={"name": "val_loss"}`,
    `search={"sampler": "gp"}`, `data={"csv": "plants.csv", "target": "species"}`.

    It is written out as the text of a space file and read by the same reader, so the same rules hold and the same
    faults are listed, all at once. Arrays, and functions that stand in a script or a notebook, are recorded by a
    digest of all that they are made of: a sweep that was begun with others is refused as changed.
    """

    data: Any = (
        None  # a name, Csv, Parquet, Npz, a function without arguments, (x, y), or ((x, y), (x_test, y_test)), ...
    )
    # By its name of Keras, {"name": ..., "label_smoothing": 0.1}, or Keras's object or class; a function of yours, or
    # {"python": it, ...}; None: the loss with which the model compiles itself. Of several outputs a dict by their names
    loss: Any = None
    # Float, Int, Choice, or a list of cases, each with its `when`; other lists are choices; {"value": [64, 32]} is none
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model: Any = "dense"  # "dense", {"dense": {...}}, a function or HyperModel, or (function, its fixed arguments)
    metrics: Sequence[Any] | Mapping[str, Any] | None = None  # each as `loss`; of several outputs by their names
    maximize: str | None = None  # the metric that ranks, "val_accuracy"; or:
    minimize: str | None = None  # a metric of which less is better, "val_loss"; or `metric`, as in a space file
    loss_weights: Mapping[str, float] | None = None  # of several outputs, {"price": 1.0, "kind": 0.2}
    search: Mapping[str, Any] = field(default_factory=Optuna)
    split: Mapping[str, Any] | None = None  # {"validation": 0.2, "test": 0.2, "seed": 42}, or {"folds": 5}
    where: Sequence[str] = ()  # constraints over parameters, ["model.units * model.layers <= 512"]
    training: Mapping[str, Any] | None = None  # {"early_stopping": {"patience": 3}, "class_weight": "balanced"}
    early_terminate: Mapping[str, Any] | None = None  # {"type": "hyperband", "min_iter": 1, "eta": 3}
    finalists: Mapping[str, int] | str | None = None  # {"top": 5, "seeds": 3}, or "none"
    finish: Mapping[str, Any] | None = None  # {"refit": True, "choose": {"where": "parameters <= 40000"}}
    goals: Mapping[str, str] | None = None  # beside the first: {"parameters": "minimize"}
    metric: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None  # {"name": "val_accuracy", "goal": ...}
    others: Mapping[str, Any] = field(default_factory=dict)  # keywords that are no section: the reader refuses them

    @cached_property
    def _of_datasets(self) -> Any:
        """The arrays of datasets, read once, since a dataset that shuffles gives another order each time."""
        from keras_sweep.data.array_sources import rows_of_datasets

        return rows_of_datasets(self.data)

    def to_yaml(self) -> str:
        """The text of the space file that says the same. What only this program holds is named by a digest.

        Raises UsageError: not one of `maximize`, `minimize`, `metric` is given, or data or model are of no known kind.
        """
        from keras_sweep.space_file.options import block_yaml
        from keras_sweep.space_file.sections import SECTIONS

        if [self.maximize, self.minimize, self.metric].count(None) != 2:
            message = "a Spec takes one of `maximize`, `minimize` and `metric`"
            raise UsageError(message, hint='For example: maximize="val_accuracy"')
        goal = "maximize" if self.maximize else "minimize"
        first: dict[str, Any] = {"name": self.maximize or self.minimize, "goal": goal}
        further = [{"name": name, "goal": goal} for name, goal in (self.goals or {}).items()]
        choices = {name: {"values": each} if _is_choice(each) else each for name, each in self.parameters.items()}
        made = {
            "data": _data_block(self.data if self._of_datasets is None else self._of_datasets),
            "model": _model_block(self.model),
            "metric": self.metric or ([first, *further] if further else first),
            "parameters": choices,
            **{name: _by_names(getattr(self, name)) for name in ("loss", "metrics", "training")},
        }
        tree = {name: made.get(name, getattr(self, name)) for name in SECTIONS} | dict(self.others)
        keep = ("metrics", "parameters")  # also where they are empty
        there = {name: value for name, value in tree.items() if value or (name in keep and value is not None)}
        return block_yaml(plain_value(there), width=4096)


def _is_choice(value: Any) -> bool:
    is_list = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) == 1  # of NumPy
    return is_list and not any(isinstance(case, Float | Int | Choice) for case in value)


def _data_block(data: Any) -> Any:
    if isinstance(data, str | None):
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
        case Mapping():
            return {str(key): plain_value(inner) for key, inner in value.items()}
        case list() | tuple() | range():
            return [plain_value(inner) for inner in value]
        case Path():
            return str(value)
        case _:
            return _plain_scalar(value)
    keys["when"] = value.when or None
    return {key: plain_value(inner) for key, inner in keys.items() if inner is not None}


def _plain_scalar(value: Any) -> Any:
    if hasattr(value, "tolist"):  # of NumPy, a list too
        return value.tolist()
    if value is None or isinstance(value, str | int | float):
        return value
    hint = "Give numbers, texts, lists and maps; an optimizer by its name; of a callback a function that returns it"
    raise UsageError(f"a space file can't hold {value!r:.100}", hint=hint)
