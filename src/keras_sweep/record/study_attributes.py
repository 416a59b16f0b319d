"""What a record says of the whole sweep, its types checked once, when it is read. Every reader gets it from here.

A record may be damaged or somebody else's: any JSON may stand in any attribute. Attributes that are not in the table
are passed on as they are; who reads one adds its check here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from keras_sweep.space.text import quoted

Check: TypeAlias = Callable[[Any], str | None]  # what a value must be, where it is not; else None

LARGEST = 2**63 - 1  # of a count: SQLite knows no larger whole number
MOST_DIGITS = 2**1023  # no larger number can be compared with a real one


def checked(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """The attributes, each of its type. Raises ValueError where one is not, or a needed one is missing."""
    for key, value in attributes.items():
        if not isinstance(key, str):
            raise ValueError(f"an attribute is called {quoted(key)}")
        check = ATTRIBUTES.get(key)
        wanted = None if check is None else check(value)
        if wanted is not None:
            raise ValueError(f"its attribute `{key}` must be {wanted}, but it is {_kind(value)}")
    for key in NEEDED:
        if key not in attributes:
            raise ValueError(f"its attribute `{key}` is missing")
    return dict(attributes)


def text(value: Any) -> str | None:
    """A text."""
    return None if isinstance(value, str) else "text"


def count(value: Any) -> str | None:
    """A whole number from 0 on."""
    return None if type(value) is int and 0 <= value <= LARGEST else "a whole number from 0 on"


def whole(value: Any) -> str | None:
    """A whole number."""
    return None if type(value) is int and abs(value) < MOST_DIGITS else "a whole number"


def number(value: Any) -> str | None:
    """A number; NaN and infinite ones are numbers."""
    return None if isinstance(value, float) or whole(value) is None else "a number"


def optional(check: Check) -> Check:
    """As `check`, or nothing."""
    return lambda value: None if value is None or check(value) is None else f"{check(value)} or nothing"


def map_of(check: Check) -> Check:
    """A map with such values."""

    def of(value: Any) -> str | None:
        wrong = "something" if not isinstance(value, dict) else next(filter(None, map(check, value.values())), None)
        what = check(object())
        return None if wrong is None else f"a map of {what}" if what else "a map"

    return of


def list_of(check: Check) -> Check:
    """A list of such values."""

    def of(value: Any) -> str | None:
        if not isinstance(value, list):
            return "a list"
        wrong = next((words for one in value if (words := check(one)) is not None), None)
        return None if wrong is None else f"a list of which each is {wrong}"

    return of


def with_keys(perhaps: Mapping[str, Check] | None = None, /, **checks: Check) -> Check:
    """A map that has these keys, perhaps the first ones too, and perhaps others, which nobody reads."""

    def of(value: Any) -> str | None:
        right = (
            isinstance(value, dict)
            and all(key in value and check(value[key]) is None for key, check in checks.items())
            and all(key not in value or check(value[key]) is None for key, check in (perhaps or {}).items())
        )
        return None if right else f"a map of {', '.join(checks)}"

    return of


def anything(_: Any) -> str | None:
    """Whatever it is."""
    return None


def _goal(value: Any) -> str | None:
    return None if value in ("maximize", "minimize") else "maximize or minimize"


def _distribution(value: Any) -> str | None:
    """One of Optuna's distributions, as its JSON text."""
    wanted = "one of Optuna's distributions"
    if not isinstance(value, str):
        return wanted
    try:
        read = json.loads(value)
        attributes = read["attributes"]
        if read["name"] == "CategoricalDistribution":
            choices = attributes["choices"]
            return None if isinstance(choices, list) and choices else wanted
        bounds = (attributes["low"], attributes["high"])
        known = read["name"] in ("FloatDistribution", "IntDistribution")
        return None if known and all(number(one) is None and math.isfinite(one) for one in bounds) else wanted
    except (ValueError, KeyError, TypeError, RecursionError):
        return wanted


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, list) else quoted(value)


ATTRIBUTES: Mapping[str, Check] = {
    "format": whole,
    "metric": text,
    "goal": _goal,
    "seed": whole,
    "space": text,
    "distributions": map_of(_distribution),
    "engine": text,  # "optuna/tpe"
    "trials": count,  # that there are to be
    "exhausted": count,  # how many trials were recorded when no point of the space was left
    "fingerprint": text,
    "test_fingerprint": optional(text),
    "versions": map_of(text),
    "keras_config": map_of(anything),  # as Keras's functions of these names say it
    "origin": text,  # the folder of the space file
    "model_code": map_of(text),  # file, or what a given function is made of -> SHA-256
    "spec": map_of(anything),
    "imported": text,  # from where
    "seconds": map_of(number),
    "finalists": list_of(with_keys(trials=count, recipes=list_of(count), seeds=list_of(count))),  # each choice of them
    "refit": optional(
        with_keys(trial=count, seed=optional(whole), epochs=count, rows=count, scores=map_of(number), digest=text)
    ),
    "test_looks": count,
    "comparison": text,  # SHA-256 of scores/comparison.json
    "card": text,  # SHA-256 of card.json
    "test": with_keys(
        {"stderrs": map_of(number), "seed": optional(whole), "refit": anything},  # older: fewer
        number=count,
        rows=count,
        scores=map_of(number),
        stderr=optional(number),
        per_class=optional(map_of(number)),
    ),
    "baseline": with_keys(model=text, validation=map_of(optional(number))),
}
NEEDED = ("metric", "goal", "seed", "space", "distributions")
