"""What a record says of the whole sweep, its types checked once, when it is read. Every reader gets it from here.

A record may be damaged or somebody else's: any JSON may stand in any attribute. Attributes that are not listed here are
passed over. The checks are a table beside a dataclass: a model of pydantic would take longer to import than a
leaderboard takes to show.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.text import quoted
from keras_sweep.trial.events import Refit
from keras_sweep.trial.finalists import Choice
from keras_sweep.trial.result import Result

LARGEST = 2**63 - 1  # of a count: SQLite knows no larger whole number
MOST_DIGITS = 2**1023  # no larger number can be compared with a real one


@dataclass(frozen=True, slots=True)
class TestScores:
    """What `evaluate()` gave on the sealed test rows."""

    __test__ = False  # not a test class, whatever its name begins with

    rows: int
    scores: Mapping[str, float]  # "loss", "accuracy"
    stderrs: Mapping[str, float]  # of each score that has a formula: "accuracy"
    per_class: Mapping[str, float] | None  # class -> share of its rows that the model names right


@dataclass(frozen=True, slots=True)
class TestLook:
    """The last look at the test rows, and whose model it was at."""

    __test__ = False

    number: int
    seed: int | None  # of the finalist; None: the trial's own
    refit: bool  # whether it was trained on all rows
    scores: TestScores


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a plain model reaches on the same rows."""

    model: str
    validation: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """The attributes of a sweep. Those without a default are in every record."""

    metric: str
    goal: Goal
    seed: int
    space: str  # text of the space file
    distributions: Mapping[str, str]  # parameter -> one of Optuna's distributions, as its JSON text
    engine: str = ""  # "optuna/tpe"
    trials: int | None = None  # that there are to be
    exhausted: int | None = None  # how many trials were recorded when no point of the space was left
    fingerprint: str | None = None
    test_fingerprint: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    keras_config: Mapping[str, Any] | None = None  # as Keras's functions of these names say it
    origin: str | None = None  # the folder of the space file
    model_code: Mapping[str, str] | None = None  # file, or what a given function is made of -> SHA-256
    spec: Mapping[str, Any] | None = None
    imported: str | None = None  # from where
    seconds: Mapping[str, float] = field(default_factory=dict)
    finalists: tuple[Choice, ...] = ()  # each choice of them
    refit: Refit | None = None
    test_looks: int = 0
    test: TestLook | None = None
    comparison: str | None = None  # SHA-256 of scores/comparison.json
    card: str | None = None  # SHA-256 of card.json
    baseline: Baseline | None = None

    @property
    def objective(self) -> Objective:
        """What ranks the trials."""
        return Objective(self.metric, self.goal, take_best=(self.spec or {}).get("epochs.take") == "best")

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
        return test.scores if test is not None and (test.number, test.seed, test.refit) == of else None


def facts_in(attributes: Mapping[Any, Any]) -> Facts:
    """The facts in the attributes of a study. Raises ValueError where one is damaged, or a needed one is missing."""
    for key, (form, wanted) in FORMS.items():
        if key in attributes and not _fits(attributes[key], form):
            raise ValueError(f"its attribute `{key}` must be {wanted}, but it is {_kind(attributes[key])}")
    for each in fields(Facts):
        if each.default is MISSING and each.default_factory is MISSING and each.name not in attributes:
            raise ValueError(f"its attribute `{each.name}` is missing")
    known = {key: attributes[key] for key in FORMS if key in attributes}
    known["goal"] = Goal(known["goal"])
    if "finalists" in known:
        known["finalists"] = tuple(
            Choice(one["trials"], tuple(one["recipes"]), tuple(one["seeds"])) for one in known["finalists"]
        )
    if (refit := known.get("refit")) is not None:
        known["refit"] = Refit(**{each.name: refit[each.name] for each in fields(Refit)})
    if (test := known.get("test")) is not None:
        scores = TestScores(test["rows"], test["scores"], test["stderrs"], test["per_class"])
        known["test"] = TestLook(test["number"], test["seed"], test["refit"], scores)
    if (baseline := known.get("baseline")) is not None:
        known["baseline"] = Baseline(baseline["model"], baseline["validation"])
    return Facts(**known)


def _fits(value: Any, form: Any) -> bool:
    """Whether a value has a form: a function says so, or a map of forms by key, a list of one form, or several forms.

    A map may have other keys, which nobody reads; the key `...` stands for all of them.
    """
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return False
        if ... in form:
            return all(_fits(one, form[...]) for one in value.values())
        return all(key in value and _fits(value[key], of) for key, of in form.items())
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(one, form[0]) for one in value)
    if isinstance(form, tuple):
        return any(_fits(value, one) for one in form)
    return bool(form(value))


def _anything(_: Any) -> bool:
    return True


def _nothing(value: Any) -> bool:
    return value is None


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _goal(value: Any) -> bool:
    return value in ("maximize", "minimize")


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < MOST_DIGITS


def _number(value: Any) -> bool:
    """NaN and infinite ones are numbers."""
    return isinstance(value, float) or _whole(value)


def _distribution(value: Any) -> bool:
    """Whether it is one of Optuna's distributions, as its JSON text."""
    try:
        read = json.loads(value)
        attributes = read["attributes"]
        if read["name"] == "CategoricalDistribution":
            return isinstance(attributes["choices"], list) and len(attributes["choices"]) > 0
        bounds = (attributes["low"], attributes["high"])
        known = read["name"] in ("FloatDistribution", "IntDistribution")
        return known and all(_number(one) and math.isfinite(one) for one in bounds)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, list) else quoted(value)


_SEED = (_whole, _nothing)
_NUMBERS = {...: _number}
_CHOICE = {"trials": _count, "recipes": [_count], "seeds": [_count]}
_REFIT = {"trial": _count, "seed": _SEED, "epochs": _count, "rows": _count, "scores": _NUMBERS, "digest": _text}
_SCORES = {"rows": _count, "scores": _NUMBERS, "stderrs": _NUMBERS, "per_class": (_NUMBERS, _nothing)}
_TEST = {"number": _count, "seed": _SEED, "refit": _truth, **_SCORES}
_BASELINE = {"model": _text, "validation": {...: (_number, _nothing)}}

FORMS: Mapping[str, tuple[Any, str]] = {  # attribute -> its form, and that in words
    "metric": (_text, "text"),
    "goal": (_goal, "maximize or minimize"),
    "seed": (_whole, "a whole number"),
    "space": (_text, "text"),
    "distributions": ({...: _distribution}, "a map of Optuna's distributions"),
    "engine": (_text, "text"),
    "trials": (_count, "a whole number from 0 on"),
    "exhausted": (_count, "a whole number from 0 on"),
    "fingerprint": (_text, "text"),
    "test_fingerprint": ((_text, _nothing), "text or nothing"),
    "versions": ({...: _text}, "a map of texts"),
    "keras_config": ({...: _anything}, "a map"),
    "origin": (_text, "text"),
    "model_code": ({...: _text}, "a map of texts"),
    "spec": ({...: _anything}, "a map"),
    "imported": (_text, "text"),
    "seconds": (_NUMBERS, "a map of numbers"),
    "finalists": ([_CHOICE], f"a list of maps of {', '.join(_CHOICE)}"),
    "refit": ((_REFIT, _nothing), f"a map of {', '.join(_REFIT)}, or nothing"),
    "test_looks": (_count, "a whole number from 0 on"),
    "test": (_TEST, f"a map of {', '.join(_TEST)}"),
    "comparison": (_text, "text"),
    "card": (_text, "text"),
    "baseline": (_BASELINE, f"a map of {', '.join(_BASELINE)}"),
}
