"""Turn the keys of a parameter into a distribution. The keys mean the same as in W&B.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys (distribution options for random and Bayesian search).
"""

import math
from typing import Any

from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value, to_value
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.text import quote
from keras_sweep.space_file.faults import Faults, Place
from keras_sweep.space_file.keras_tables import OPTIMIZERS
from keras_sweep.space_file.sections import LOG_UNIFORM, ChoiceSection, ConstantSection, ParameterForm, RangeSection

MOST_STEPS = 2**53  # beyond it a float can't tell two multiples apart
_EXPONENTS = ("log_uniform", "q_log_uniform")


class ParameterError(Exception):
    """A fault of a parameter: the key (None for the parameter itself), the rule that the key breaks, and a hint."""

    def __init__(self, key: str | None, rule: str, hint: str | None = None) -> None:
        super().__init__(key, rule, hint)


class Constant(Categorical):
    """A distribution with a single value, which is the same in every trial."""


def parse_value(name: str, plain: Any, faults: Faults | None = None) -> Value:
    """Convert a value of the parameter `name` in the file: a list to a tuple, the optimizer `Adam` to `adam`."""
    is_of_keras = faults is None or not faults.has("objective")  # a function may name optimizers of other packages
    known = name == "optimizer" and is_of_keras and isinstance(plain, str) and plain.lower() in OPTIMIZERS
    return plain.lower() if known else to_value(plain)


def make_distribution(block: ParameterForm, path: Place, faults: Faults) -> Distribution:
    """Convert `block`, a parameter's section at `path`; `faults` gets warnings. Raises ParameterError for faults."""
    try:
        if isinstance(block, ConstantSection):
            return Constant((parse_value(str(path[1]), block.value, faults),))
        if isinstance(block, ChoiceSection):
            shares = None if block.probabilities is None else tuple(block.probabilities)
            return Categorical(tuple(parse_value(str(path[1]), value, faults) for value in block.values), shares)
        return _make_range(block, path, faults)
    except ValueError as error:  # its text begins with the key
        raise ParameterError(str(error).split("`")[1].split()[0], str(error)) from None


def list_limits(parameter: Parameter, faults: Faults) -> list[tuple[Place, Value]]:
    """Return (path in the file, value) of each choice of a parameter, or of both ends of its range, to check them."""
    drawn, path = parameter.distribution, get_path(parameter)
    if isinstance(drawn, Constant):
        block = faults.root.at(*path).value
        keys = [key for key in ("value", "max", "values") if isinstance(block, dict) and key in block]
        return [((*path, *keys[:1]), drawn.choices[0])]
    if isinstance(drawn, Categorical):
        return [((*path, "values", index), value) for index, value in enumerate(drawn.choices)]
    return [((*path, "min"), drawn.low), ((*path, "max"), drawn.high)]


def get_path(parameter: Parameter) -> Place:
    return ("parameters", parameter.name, *([parameter.case - 1] if parameter.case else []))


def _make_range(block: RangeSection, path: Place, faults: Faults) -> Float | Int:
    low, high, named = block.min, block.max, block.distribution
    if low is None or high is None:
        got = quote(block.model_dump(exclude_unset=True))
        raise ParameterError(None, f"a parameter needs `min` and `max`, or `value`, or `values`, but got {got}")
    if named == "int_uniform" and (type(low), type(high)) != (int, int):
        rule = f"`int_uniform` needs whole numbers, but got (min={quote(low)}, max={quote(high)})"
        raise ParameterError(None, rule, "use `distribution: uniform`")
    q, log = _get_step_and_scale(block)
    if named in _EXPONENTS:
        values = f"use `distribution: {named}_values`"
        if high > 700:  # e**700 is near the largest float
            raise ParameterError("max", f"`{named}` draws e**x, and e**{quote(high)} is too large", values)
        if low >= 0:
            drawn = f"from {math.exp(low):g} to {math.exp(high):g}"
            faults.warn(path, f"`{named}` takes exponents, so values are {drawn}; {values} if you mean values")
        low, high = math.exp(low), math.exp(high)
    if q is None and isinstance(low, int) and isinstance(high, int) and named in (None, "int_uniform"):
        return Int(low, high, log)
    if q is None:
        return Float(float(low), float(high), log)
    first, last = _find_multiples(low, high, q)
    if not math.isclose(first * q, low, rel_tol=1e-9, abs_tol=1e-12):
        faults.warn(path, f"draws only multiples of q={quote(q)}, so the lowest value is {first * q:.12g}")
    if isinstance(q, int):
        return Int(first * q, last * q, log, q)
    return Float(float(f"{first * q:.12g}"), float(f"{last * q:.12g}"), log, float(q))


def _get_step_and_scale(block: RangeSection) -> tuple[float | None, bool]:
    named, q = block.distribution, block.q
    if named is None:
        return q, bool(block.log)
    if block.log not in (None, named in LOG_UNIFORM):
        raise ParameterError(
            "log", f"must match `distribution: {named}`, but got {quote(block.log)}", "leave out `log`"
        )
    if q is not None and not named.startswith("q_") and named != "int_uniform":
        raise ParameterError("q", f"`{named}` has no `q`", f"use `distribution: q_{named}`")
    return 1 if q is None and named.startswith("q_") else q, named in LOG_UNIFORM


def _find_multiples(low: float, high: float, q: float) -> tuple[int, int]:
    """Return (first, last): the multiples of q in [low, high] are first * q to last * q. Raises ParameterError if there
    are none or too many."""
    if max(abs(low), abs(high)) / q > MOST_STEPS:
        rule = f"q={quote(q)} is too fine for a range from {quote(low)} to {quote(high)}"
        raise ParameterError("q", rule, "use a larger `q`")
    first, last = -_floor_divide(-low, q), _floor_divide(high, q)
    if first > last:
        raise ParameterError("q", f"no multiple of q={quote(q)} lies between min={quote(low)} and max={quote(high)}")
    return first, last


def _floor_divide(value: float, q: float) -> int:
    return value // q if isinstance(value, int) and isinstance(q, int) else math.floor(value / q + 1e-9)
