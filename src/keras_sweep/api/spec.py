"""Write a space in Python: a `Spec` has the sections of a space file, and may hold arrays and functions."""

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
from keras_sweep.process.user_objects import register_arrays, register_function
from keras_sweep.space import distributions

PathLike = str | os.PathLike[str]
T = TypeVar("T")


@partial(cut_tracebacks, errors=ValueError)
@dataclass(frozen=True, slots=True)
class Float:
    """A parameter with real values: `Float(1e-4, 1e-1, log=True)`.

    Args:
        min: the least value.
        max: the greatest value.
        log: draw uniformly in the logarithm of the value.
        step: draw only multiples of this number; by default every real number. Not with `log`.
        when: only trials with these values have the parameter: `{"optimizer": "sgd"}`. A list allows several values.

    Raises:
        ValueError: the range is empty, not finite, or touches zero on a log scale, or `step` is not allowed.
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
    """A parameter with whole values: `Int(16, 256, log=True)`.

    Args:
        min: the least value, included.
        max: the greatest value, included.
        log: draw uniformly in the logarithm of the value.
        step: draw only multiples of this number, for example 3, 6 and 9 from `Int(1, 10, step=3)`. Not with `log`.
        when: as in `Float`.

    Raises:
        ValueError: the range is empty, or touches zero on a log scale, or `step` is below 1 or set with `log`.
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
    """A parameter with listed values: `Choice(["adam", "sgd"])`. A plain list in `parameters` means the same.

    Args:
        values: all values, each different.
        probabilities: the probability of each value; by default all are equal.
        when: as in `Float`.

    Raises:
        ValueError: there are no values, two values are equal, or there is not a probability for each, with sum 1.
    """

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        weights = tuple(self.probabilities) if self.probabilities is not None else None
        distributions.Categorical(tuple(map(distributions.to_value, self.values)), weights)


class _Keys(dict[str, Any]):
    """A dict: a section of a space file, without None and empty values. `read_space_file` checks keys and values."""

    def __init__(self, **keys: Any) -> None:
        super().__init__({name: value for name, value in keys.items() if value or value == 0})


class Optuna(_Keys):
    """A search by a sampler of Optuna: `Optuna("gp", trials=32)`.

    Args:
        sampler: tpe, gp, cmaes, random, grid, qmc or nsgaii.
        trials: the number of trials in total.
        seed: the search seed.
        settings: other keys of `search` in a space file. `generation` is how many trials the sampler suggests together
            (0: the runner decides). `start` lists configurations to train first,
            `[{"optimizer": "adam", "learning_rate": 1e-3}]`; the sampler picks the values that they leave out.
            `seeds=3` trains every trial with three seeds, and their mean ranks. `stop={"value": 0.86}` ends the search
            once a trial reaches this value, `stop={"patience": 30}` once no better trial came in 30 trials.
            `learn_from` is the name or path of an earlier sweep whose trials guide the sampler.
    """

    def __init__(self, sampler: str = "tpe", trials: int = 64, seed: int = 42, **settings: Any) -> None:
        super().__init__(engine="optuna", sampler=sampler, trials=trials, seed=seed, **settings)


class KerasTuner(_Keys):
    """A search by a sampler of KerasTuner: random, bayesian, hyperband or grid. Arguments are as in `Optuna`."""

    def __init__(self, sampler: str = "bayesian", trials: int = 64, seed: int = 42, **settings: Any) -> None:
        super().__init__(engine="keras-tuner", sampler=sampler, trials=trials, seed=seed, **settings)


class Csv(_Keys):
    """A CSV file with a header: `Csv("plants.csv", "species")`.

    Args:
        path: the file; a relative path starts at the working directory.
        target: the column to predict. `{"column": "price", "transform": "log"}` learns log(1 + price), "standard" the
            standardised price.
        options: other keys of `data: {csv: ...}` in a space file: `weights` names the column of sample weights.
    """

    def __init__(self, path: PathLike, target: str | Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(csv=_file(path), target=target, **options)


class Parquet(_Keys):
    """A Parquet file. Arguments are as in `Csv`."""

    def __init__(self, path: PathLike, target: str | Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(parquet=_file(path), target=target, **options)


class Npz(_Keys):
    """A NumPy .npz file with arrays `x`, `y` and possibly `sample_weight`.

    If the rows are split already, the arrays are named `x_train`, `y_train`, `x_validation`, `x_test` and so on.

    Args:
        path: the file; a relative path starts at the working directory.
        target: the array of labels; by default `y`.
    """

    def __init__(self, path: PathLike, target: str | None = None) -> None:
        super().__init__(npz=_file(path), target=target)


def _file(path: PathLike) -> str:
    return str(Path(path).expanduser().absolute())


def _collect_unknown_keywords(kind: type[T]) -> type[T]:
    """Wrap the constructor of the dataclass `kind`: unknown keywords go into its field `others`, not into a TypeError,
    so that `read_space_file` reports them with the nearest known key. Return `kind`."""
    init, field_names = kind.__init__, {field.name for field in fields(kind)}  # type: ignore[arg-type]

    @wraps(init)
    def __init__(self: T, *sections: Any, **keywords: Any) -> None:
        unknown = {name: keywords.pop(name) for name in keywords.keys() - field_names}
        init(self, *sections, **({"others": unknown} if unknown else {}), **keywords)

    setattr(kind, "__init__", __init__)  # noqa: B010
    return kind


@cut_tracebacks
@_collect_unknown_keywords
@dataclass(frozen=True)
class Spec:
    """A space in Python: data, model, parameters and search. `keras_sweep.run` takes it in place of a space file.

        Spec("digits", "sparse_categorical_crossentropy", {"epochs": Int(5, 20)}, maximize="val_accuracy")

    Each argument is a section of a space file, and also accepts the value that the section has in the file:
    `search={"sampler": "gp"}`, `data={"csv": "plants.csv", "target": "species"}`. The rules and the errors are the
    same. A sweep records a digest of arrays, and of functions from a script or a notebook. If you change these arrays
    or functions, `keras_sweep.run` refuses to resume the sweep.

    Args:
        data: a data set's name, Csv, Parquet, Npz, a function without arguments, `(x, y)`, `(x, y, sample_weight)`,
            a dataset that `fit` accepts, a pair of rows (training, test), three (training, validation, test), or a dict
            `{"train": ..., "validation": ..., "test": ...}`. A pair with a dataset is refused: use the dict.
        loss: a Keras loss as a name, `{"name": ..., "label_smoothing": 0.1}`, an object or a class; or your function,
            with arguments `{"python": function, ...}`. For a model with several outputs a dict by output name. By
            default the loss with which your model compiles itself.
        parameters: name -> Float, Int, Choice, or a list of these, each with a `when`. Any other list is a choice of
            its values. A single value, or `{"value": [64, 32]}`, is a constant.
        model: "dense", `{"dense": {...}}`, a function that returns a model, a HyperModel, or
            `(function, fixed_arguments)`.
        metrics: a list, each entry as in `loss`; for several outputs a dict by output name.
        maximize: the metric that ranks: "val_accuracy".
        minimize: in place of `maximize`, a metric whose least value is best: "val_loss".
        loss_weights: the weight of each output's loss: `{"price": 1.0, "kind": 0.2}`.
        search: `Optuna(...)` or `KerasTuner(...)`; by default Optuna's tpe with 64 trials.
        split: the shares of validation and test rows: `{"validation": 0.2, "test": 0.2, "seed": 42}`, or
            `{"folds": 5}`.
        where: constraints over parameters: `["model.units * model.layers <= 512", "parameters <= 1e6"]`. In them,
            `parameters` is the number of the model's weights.
        training: settings of each training: `{"early_stopping": {"patience": 3}, "class_weight": "balanced"}`.
        early_terminate: the pruner, which stops poor trials: `{"type": "hyperband", "min_iter": 1, "eta": 3}`.
        finalists: train the best configurations with more seeds: `{"top": 5, "seeds": 3}`, or "none".
        finish: choose and train the winner: `{"refit": True, "choose": {"where": "parameters <= 40000"}}`.
        goals: further metrics to improve: `{"parameters": "minimize"}`.
        metric: in place of `maximize` and `minimize`: `{"name": "val_accuracy", "goal": "maximize"}`.
        objective: a function to search, in place of data, model and loss, or `(function, fixed_arguments)`. It takes
            parameters by name, and returns a number or a dict of metrics.
        others: unknown keywords. `keras_sweep.run` reports them.
    """

    data: Any = None
    loss: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model: Any = "dense"
    metrics: Sequence[Any] | Mapping[str, Any] | None = None
    maximize: str | None = None
    minimize: str | None = None
    loss_weights: Mapping[str, float] | None = None
    search: Mapping[str, Any] = field(default_factory=Optuna)
    split: Mapping[str, Any] | None = None
    where: Sequence[str] | str = ()
    training: Mapping[str, Any] | None = None
    early_terminate: Mapping[str, Any] | None = None
    finalists: Mapping[str, int] | str | None = None
    finish: Mapping[str, Any] | None = None
    goals: Mapping[str, str] | None = None
    metric: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None
    objective: Any = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _dataset_rows(self) -> Any:
        """The rows of `data` if `data` are datasets, else None. Read only once: shuffled datasets change order."""
        from keras_sweep.data.array_sources import rows_of_datasets

        return rows_of_datasets(self.data)

    def to_yaml(self) -> str:
        """Return the `Spec` as the text of a space file. Arrays and functions become names with their digests.

        Raises:
            UsageError: not exactly one of `maximize`, `minimize` and `metric` is set, or the type of data or model is
                wrong.
        """
        from keras_sweep.space_file.options import dump_block_yaml
        from keras_sweep.space_file.sections import SECTIONS

        if [self.maximize, self.minimize, self.metric].count(None) != 2:
            message = "a Spec needs exactly one of `maximize`, `minimize` and `metric`"
            raise UsageError(message, hint='For example `maximize="val_accuracy"`')
        goal = "maximize" if self.maximize else "minimize"
        first: dict[str, Any] = {"name": self.maximize or self.minimize, "goal": goal}
        further = [{"name": name, "goal": goal} for name, goal in (self.goals or {}).items()]
        domains = {key: {"values": domain} if _is_choice(domain) else domain for key, domain in self.parameters.items()}
        sections = {
            "data": _data_block(self.data if self._dataset_rows is None else self._dataset_rows),
            "model": _model_block(self.model) if self.objective is None or self.model != "dense" else None,
            "objective": self.objective and _model_block(self.objective),
            "metric": self.metric or ([first, *further] if further else first),
            "parameters": domains,
            **{name: _name_functions(getattr(self, name)) for name in ("loss", "metrics", "training")},
        }
        tree = {name: sections.get(name, getattr(self, name)) for name in SECTIONS} | dict(self.others)
        # An empty section has a meaning here; other empty sections are left out.
        may_be_empty = ("metrics", "parameters")
        tree_to_write = {
            name: value for name, value in tree.items() if value or (name in may_be_empty and value is not None)
        }
        return dump_block_yaml(plain_value(tree_to_write), width=4096)


def _is_choice(value: Any) -> bool:
    is_list = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) == 1  # [N] NumPy array
    return is_list and not any(isinstance(case, Float | Int | Choice) for case in value)


def _data_block(data: Any) -> Any:
    if isinstance(data, str | None):
        return data
    keys = data if isinstance(data, Mapping) else {"python": data}
    if callable(keys.get("python")):
        return {**keys, "python": register_function(keys["python"], of_rows=True)}
    # A map with a text or path has the keys of a space file. In any other map the values are arrays.
    if isinstance(data, Mapping) and any(isinstance(value, str | os.PathLike) for value in data.values()):
        return data
    if isinstance(data, Mapping | Sequence):
        return {"python": register_arrays(data)}
    forms = '(x, y), (x, y, sample_weight), a dataset for `fit`, or {"train": ..., "validation": ..., "test": ...}'
    message = f"`data` of a Spec must be a name, Csv, Parquet, Npz, a function, {forms}"
    raise UsageError(f"{message}, but got {type(data).__name__}")


def _model_block(model: Any) -> Any:
    if isinstance(model, str):
        return model if ":" not in model else {"python": model}
    if isinstance(model, Mapping):
        return model
    function, arguments = model if isinstance(model, tuple) and len(model) == 2 else (model, {})
    # A finished model can be called too, but has weights already, so no trial could start from new weights.
    is_model = isinstance(function, getattr(sys.modules.get("keras"), "Model", ()))
    if not is_model and (callable(function) or callable(getattr(function, "build", None))):
        return {"python": register_function(function), **arguments}
    forms = '"dense", {"dense": {...}}, a function that returns a keras.Model, or a keras_tuner.HyperModel'
    raise UsageError(f"`model` of a Spec must be {forms}, but got {type(model).__name__}")


def _name_functions(value: Any) -> Any:
    """Return `value` with its functions, Keras losses and Keras metrics replaced by their values in a space file."""
    if isinstance(value, Mapping):
        return {
            key: register_function(inner) if key == "python" and callable(inner) else _name_functions(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return list(map(_name_functions, value))
    return (score_of_keras(value) or {"python": register_function(value)}) if callable(value) else value


def plain_value(value: Any) -> Any:
    """Convert a value of a `Spec` to numbers, texts, lists and dicts. Raises UsageError if YAML can't write it."""
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
    if hasattr(value, "tolist"):  # a NumPy scalar or array
        return value.tolist()
    if value is None or isinstance(value, str | int | float):
        return value
    hint = "Use numbers, texts, lists, dicts, the name of an optimizer, and for a callback a function that returns it"
    raise UsageError(f"a space file can't hold {value!r:.100}", hint=hint)
