"""What a record says of the whole sweep, its types checked when it is read. Every reader gets it from here.

A record may be damaged or somebody else's: any JSON may stand in any attribute. Others than these are skipped. Pydantic
would take longer to import than a leaderboard takes to show.
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

LARGEST = 2**63 - 1  # SQLite knows no larger whole number
T = TypeVar("T")
OptunaText = NewType("OptunaText", str)  # one of Optuna's distributions, as its JSON text


@dataclass(frozen=True, slots=True)
class Baseline:
    """How a reference model did on the same rows. It is no trial: nothing was searched."""

    model: str  # "SGDClassifier(loss='log_loss', max_iter=5, random_state=42)"
    metric: str  # what the scores of folds are: "accuracy", or "r2" for regression
    fold_scores: tuple[float, ...]  # cross-validated over training and validation rows
    validation: Mapping[str, float | None]  # by Keras's names, of a fit on the training rows; with folds out of fold
    seconds: float  # wall time of all fits
    mean_score: float  # of the folds


@dataclass(frozen=True, slots=True)
class Refit:
    """A training on all rows."""

    trial: int  # whose recipe it is
    seed: int | None  # of the finalist whose training it repeats; None: the trial's own
    epochs: int  # as many as its value is of
    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy": on those rows, to tell the model by
    digest: str  # of its weights

    @property
    def text(self) -> str:
        """`trained again on all 60,000 rows for 17 epochs`."""
        return f"trained again on all {self.rows:,} rows for {self.epochs:,} epoch" + "s" * (self.epochs != 1)


@dataclass(frozen=True, slots=True)
class TestScores:
    """What `evaluate()` gave on the sealed test rows."""

    __test__ = False  # not a test class, whatever its name begins with

    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy"
    stderrs: Mapping[str, float]  # of each score that has a formula: "accuracy"
    per_class: Mapping[str, float] | None  # class -> share of its rows that the model names right


@dataclass(frozen=True, slots=True)
class TestLook(TestScores):
    """The last look at the test rows, and whose model it was at."""

    number: int
    seed: int | None  # of the finalist; None: the trial's own
    refit: bool  # whether it was trained on all rows


@dataclass(frozen=True, slots=True)
class Choice:
    """Which recipes are trained again, each with which seeds."""

    trials: int  # of the search when it was made: among more it decides nothing
    recipes: tuple[int, ...] = ()  # numbers of trials of the search, the most promising first; none, or at least two
    seeds: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each training as (recipe, seed), a seed at a time."""
        return ((recipe, seed) for seed in self.seeds for recipe in self.recipes)

    def __len__(self) -> int:
        return len(self.recipes) * len(self.seeds)


@dataclass(frozen=True, slots=True)
class Facts:
    """The attributes of a sweep. Those without a default are in every record."""

    metric: str
    goal: Goal
    seed: int
    space: str  # text of the space file
    distributions: Mapping[str, OptunaText]  # of the parameters
    identity: str | None = None  # of this record, which it was made with; an older record has none
    goals: tuple[Objective, ...] = ()  # beside the metric
    choose: str = ""  # what the winner's goals must meet
    engine: str = ""  # "optuna/tpe"
    trials: int | None = None  # that there are to be
    exhausted: int | None = None  # how many trials were recorded when no point of the space was left
    good_enough: int | None = None  # how many trials were recorded when one had the value of `search.stop`
    fingerprint: str | None = None
    test_fingerprint: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    keras_config: Mapping[str, Any] | None = None  # as Keras's functions of these names say it
    origin: str | None = None  # the folder of the space file
    model_code: Mapping[str, str] | None = None  # file, or what a given function is made of -> SHA-256
    spec: Mapping[str, Any] | None = None
    imported: str | None = None  # from where
    learned: int = 0  # trials of an earlier sweep that it began with
    foreign: int = 0  # trials that Optuna wrote into the study, counted when it is read
    seconds: Mapping[str, float] = field(default_factory=dict)
    finalists: tuple[Choice, ...] = ()  # each choice of them
    refit: Refit | None = None
    test_looks: int = 0
    test: TestLook | None = None
    comparison: str | None = None  # SHA-256 of scores/comparison.json
    card: str | None = None  # SHA-256 of card.json
    done: str | None = None  # digest of what the last run was given and left, if nothing is left to do
    baseline: Baseline | None = None

    @property
    def objective(self) -> Objective:
        take_best = (self.spec or {}).get("epochs.take") == "best"
        return Objective(self.metric, self.goal, take_best=take_best, further=self.goals, where=self.choose)

    @property
    def choice(self) -> Choice:
        """The last choice of finalists; an empty one without any."""
        return self.finalists[-1] if self.finalists else Choice(0)

    def refit_of(self, training: Result) -> Refit | None:
        """The training on all rows, if it repeats this training."""
        of = (training.recipe, training.finalist_seed)
        return self.refit if self.refit is not None and (self.refit.trial, self.refit.seed) == of else None

    def test_of(self, training: Result) -> TestScores | None:
        """The scores of the last look at the test rows, if it was at the model of this training."""
        of = (training.recipe, training.finalist_seed, self.refit_of(training) is not None)
        test = self.test
        return test if test is not None and (test.number, test.seed, test.refit) == of else None


def parse_record(kind: type[T], attributes: Mapping[Any, Any]) -> T:
    """A record of that class, as JSON has it. Raises ValueError where one is damaged, or a needed one is missing."""
    known, types = {}, get_type_hints(kind)
    for each in fields(kind):  # type: ignore[arg-type]
        value = attributes.get(each.name, each.default)
        if value is MISSING and each.default_factory is MISSING:
            raise ValueError(f"its attribute `{each.name}` is missing")
        if each.name in attributes:
            try:
                known[each.name] = _of_type(types[each.name], value)
            except (TypeError, ValueError):
                shown = f"a {type(value).__name__}" if isinstance(value, dict | list) else quote(value)
                raise ValueError(f"its attribute `{each.name}` must be {each.type}, but it is {shown}") from None
    return kind(**known)


def _of_type(wanted: Any, value: Any) -> Any:
    """What a JSON value is as an attribute of that type. Raises TypeError where it can't be one."""
    kind, inner = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if NoneType in inner:
        return None if value is None else _of_type(inner[0], value)
    if kind is tuple and isinstance(value, list):
        return tuple(_of_type(inner[0], one) for one in value)
    if kind is Mapping and isinstance(value, dict):
        return {name: _of_type(inner[1], one) for name, one in value.items()}
    if isinstance(wanted, type) and is_dataclass(wanted) and isinstance(value, dict):
        return parse_record(wanted, value)
    if wanted is Goal and value in tuple(Goal):
        return Goal(value)
    if wanted is OptunaText and is_distribution(value):
        return value
    if wanted in (str, bool, float) and type(value) is wanted:
        return value
    if type(value) is int and abs(value) <= LARGEST and (wanted is float or (wanted is int and value >= 0)):
        return value
    raise TypeError


def is_distribution(value: Any) -> bool:
    """Whether it is the JSON text of one of Optuna's distributions that a sweep may have."""
    try:
        read = json.loads(value)
        attributes = read["attributes"]
        if read["name"] == "CategoricalDistribution":
            return isinstance(attributes["choices"], list) and len(attributes["choices"]) > 0
        bounds = [_of_type(float, attributes[name]) for name in ("low", "high")]
        return read["name"] in ("FloatDistribution", "IntDistribution") and all(map(math.isfinite, bounds))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
