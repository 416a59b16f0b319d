"""The attributes of a whole sweep in its record. Every reader uses this module, which checks their types.

A record may be damaged or may come from another person, so any JSON may be in any attribute. Unknown attributes are
skipped. Pydantic is not used: importing it takes longer than showing a leaderboard.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from types import NoneType
from typing import Any, NewType, TypeVar, get_args, get_origin, get_type_hints

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.text import quote
from keras_sweep.trial.result import Result

LARGEST = 2**63 - 1  # the largest integer of SQLite
T = TypeVar("T")
OptunaText = NewType("OptunaText", str)  # the JSON text of an Optuna distribution


@dataclass(frozen=True, slots=True)
class Baseline:
    """The scores of a linear model of scikit-learn on the sweep's rows, to compare the trials with."""

    model: str  # "SGDClassifier(loss='log_loss', max_iter=5, random_state=42)"
    metric: str  # of the fold scores: "accuracy", or "r2" for regression
    fold_scores: tuple[float, ...]  # cross-validated over training and validation rows
    validation: Mapping[str, float | None]  # Keras's metric -> score after a fit on the training rows, or out of fold
    seconds: float  # wall time of all fits
    mean_score: float  # over the folds


@dataclass(frozen=True, slots=True)
class Refit:
    """The winner's training, repeated on training and validation rows together."""

    trial: int  # the trial of the search with the same configuration
    seed: int | None  # the seed of the repeated finalist; None: the trial's seed
    epochs: int  # the trial's scored epoch
    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy" on all rows, to recognise the model
    digest: str  # of the weights

    @property
    def text(self) -> str:
        """The training in words: `trained again on all 60,000 rows for 17 epochs`."""
        return f"trained again on all {self.rows:,} rows for {self.epochs:,} epoch" + "s" * (self.epochs != 1)


@dataclass(frozen=True, slots=True)
class TestScores:
    """The scores that `evaluate()` returned on the test rows, which no training or ranking uses."""

    __test__ = False  # pytest collects classes whose names begin with "Test"

    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy"
    stderrs: Mapping[str, float]  # standard errors of the scores that have a formula: "accuracy"
    per_class: Mapping[str, float] | None  # class -> share of its rows that the model classifies correctly


@dataclass(frozen=True, slots=True)
class TestLook(TestScores):
    """The scores of the last evaluation on the test rows, and which model was evaluated."""

    number: int  # of the trial
    seed: int | None  # of the finalist; None: the trial's seed
    refit: bool  # whether the model was trained again on all rows


@dataclass(frozen=True, slots=True)
class ChosenFinalists:
    """A choice of finalists: the configurations to train again, and the new seeds to train each configuration with."""

    trials: int  # in the search at the time of the choice; with more trials the choice no longer decides the winner
    recipes: tuple[int, ...] = ()  # numbers of trials of the search, the most promising first; none, or at least two
    seeds: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (trial number, seed) of each training. All trials of a seed come before the next seed."""
        return ((recipe, seed) for seed in self.seeds for recipe in self.recipes)

    def __len__(self) -> int:
        return len(self.recipes) * len(self.seeds)


@dataclass(frozen=True, slots=True)
class Facts:
    """All attributes of a sweep's Optuna study. Only attributes with a default may be missing in a record."""

    metric: str
    goal: Goal
    seed: int
    space: str  # text of the space file
    distributions: Mapping[str, OptunaText]  # by parameter
    identity: str | None = None  # random text, drawn when the record is created; older records have none
    goals: tuple[Objective, ...] = ()  # further goals, beside the metric
    choose: str = ""  # the condition on the winner's goals
    engine: str = ""  # "optuna/tpe"
    trials: int | None = None  # planned for the sweep
    exhausted: int | None = None  # the number of recorded trials when the space had no point left
    good_enough: int | None = None  # the number of recorded trials when a trial reached `search.stop.value`
    no_better: int | None = None  # the number of recorded trials when `search.stop.patience` ended the search
    fingerprint: str | None = None
    test_fingerprint: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    keras_config: Mapping[str, Any] | None = None  # results of Keras's functions, by the functions' names
    origin: str | None = None  # the folder of the space file
    model_code: Mapping[str, str] | None = None  # file, or part of a model function -> SHA-256
    data_code: Mapping[str, str] | None = None  # file of the function that returns the rows -> SHA-256
    spec: Mapping[str, Any] | None = None
    imported: str | None = None  # the source of the imported trials
    learned: int = 0  # trials of an earlier sweep that the search learned from
    foreign: int = 0  # trials that Optuna wrote into the study, counted on reading
    seconds: Mapping[str, float] = field(default_factory=dict)
    finalists: tuple[ChosenFinalists, ...] = ()  # every choice of finalists, the last at the end
    refit: Refit | None = None
    test_looks: int = 0
    test: TestLook | None = None
    comparison: str | None = None  # SHA-256 of scores/comparison.json
    card: str | None = None  # SHA-256 of card.json
    done: str | None = None  # digest of the last run's input and outcome, if that run completed the sweep
    baseline: Baseline | None = None

    @property
    def objective(self) -> Objective:
        take_best = (self.spec or {}).get("epochs.take") == "best"
        return Objective(self.metric, self.goal, take_best=take_best, further=self.goals, where=self.choose)

    @property
    def has_models(self) -> bool:
        """Whether trials are models. They are not in a sweep of an objective function, which has no data."""
        return (self.spec or {}).get("data") != "none"

    @property
    def choice(self) -> ChosenFinalists:
        """The last choice of finalists; an empty choice if no finalists were chosen."""
        return self.finalists[-1] if self.finalists else ChosenFinalists(0)

    def refit_of(self, training: Result) -> Refit | None:
        """Return the repetition of `training` on training and validation rows, or None if it was not repeated."""
        key = (training.recipe, training.finalist_seed)
        return self.refit if self.refit is not None and (self.refit.trial, self.refit.seed) == key else None

    def test_of(self, training: Result) -> TestScores | None:
        """Return the test scores of the model of `training`, or None if the last evaluation was of another model."""
        key = (training.recipe, training.finalist_seed, self.refit_of(training) is not None)
        test = self.test
        return test if test is not None and (test.number, test.seed, test.refit) == key else None


def parse_record(kind: type[T], attributes: Mapping[Any, Any]) -> T:
    """Build an object of the dataclass `kind` from `attributes`: field name -> JSON value. Unknown names are skipped.
    Raises ValueError if a value has the wrong type, or a value without a default is missing."""
    arguments, types = {}, get_type_hints(kind)
    for item in fields(kind):  # type: ignore[arg-type]
        value = attributes.get(item.name, item.default)
        if value is MISSING and item.default_factory is MISSING:
            raise ValueError(f"its attribute `{item.name}` is missing")
        if item.name in attributes:
            try:
                arguments[item.name] = _to_type(types[item.name], value)
            except (TypeError, ValueError):
                shown = f"a {type(value).__name__}" if isinstance(value, dict | list) else quote(value)
                raise ValueError(f"its attribute `{item.name}` must be {item.type}, but got {shown}") from None
    return kind(**arguments)


def _to_type(target: Any, value: Any) -> Any:
    kind, inner = get_origin(target), get_args(target)
    if target is Any:
        return value
    if NoneType in inner:
        return None if value is None else _to_type(inner[0], value)
    if kind is tuple and isinstance(value, list):
        return tuple(_to_type(inner[0], item) for item in value)
    if kind is Mapping and isinstance(value, dict):
        return {name: _to_type(inner[1], item) for name, item in value.items()}
    if isinstance(target, type) and is_dataclass(target) and isinstance(value, dict):
        return parse_record(target, value)
    if target is Goal and value in tuple(Goal):
        return Goal(value)
    if target is OptunaText and is_distribution(value):
        return value
    if target in (str, bool, float) and type(value) is target:
        return value
    if type(value) is int and abs(value) <= LARGEST and (target is float or (target is int and value >= 0)):
        return value
    raise TypeError


def is_distribution(value: Any) -> bool:
    try:
        distribution = json.loads(value)
        attributes = distribution["attributes"]
        if distribution["name"] == "CategoricalDistribution":
            return isinstance(attributes["choices"], list) and len(attributes["choices"]) > 0
        bounds = [_to_type(float, attributes[name]) for name in ("low", "high")]
        return distribution["name"] in ("FloatDistribution", "IntDistribution") and all(map(math.isfinite, bounds))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
