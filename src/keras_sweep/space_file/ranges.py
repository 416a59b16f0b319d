"""One parameter's keys -> a distribution. They mean what they mean in W&B's.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys (distribution options for random and Bayesian search).
"""

from __future__ import annotations

import math
from typing import Any

from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value, as_value
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.text import joined, quoted
from keras_sweep.space_file.faults import Faults, Path
from keras_sweep.space_file.keras_tables import lower
from keras_sweep.space_file.sections import LOG_UNIFORM, ParameterSection

MOST_STEPS = 2**53  # beyond it a float can't tell two multiples apart
LISTABLE = 24  # so many values a hint still writes out

_FORM = {"constant": "value", "categorical": "values"}  # every other distribution has a range
_TAKES = {"value": "`value`", "values": "`values`", "range": "a range of `min` and `max`"}
_EXPONENTS = ("log_uniform", "q_log_uniform")


class Refused(Exception):
    """The keys of a parameter don't go together."""

    def __init__(self, key: str | None, rule: str, hint: str | None = None) -> None:
        super().__init__(key, rule, hint)
        self.keys = () if key is None else (key,)
        self.rule = rule
        self.hint = hint


class Constant(Categorical):
    """The same value in every trial: a choice of one."""


def value_of(name: str, plain: Any) -> Value:
    """A value of the file as trials have it: optimizers are in lower case."""
    return lower(as_value(plain)) if name == "optimizer" else as_value(plain)


def distribution_of(block: ParameterSection, path: tuple[str, ...], faults: Faults) -> Distribution | None:
    """What the block at a path draws from; None where several of its keys have no meaning, which is noted.

    Raises:
        Refused: it is not clear what it draws from.
    """
    given = block.model_fields_set
    named = block.distribution
    forms = [form for form in ("value", "values") if form in given] + (["range"] if given & {"min", "max"} else [])
    if len(forms) > 1:
        both = joined(f"`{key}`" for key in ("value", "values", "min", "max") if key in given)
        raise Refused(None, f"only one of `value`, `values`, and `min` with `max` may be given, but got {both}")
    if not forms and not named:
        raise Refused(None, "a parameter needs `value`, `values`, or `min` and `max`")
    form = _FORM.get(named, "range") if named else forms[0]
    if forms and forms != [form]:
        raise Refused("distribution", f"`{named}` takes {_TAKES[form]}, but got {_TAKES[forms[0]]}")
    if not _fits(block, form, path, faults):
        return None
    if form == "range":
        return _range(block, path, faults)
    if not forms:
        raise Refused(None, f"`distribution: {named}` needs `{form}`")
    if form == "value":
        return Constant((value_of(path[-1], block.value),))
    shares = None if block.probabilities is None else tuple(map(float, block.probabilities))
    try:
        return Categorical(tuple(value_of(path[-1], value) for value in block.values), shares)
    except ValueError as error:  # which begins with the key that it is about
        raise Refused(str(error).split("`")[1], str(error)) from None


def ends(parameter: Parameter, faults: Faults) -> list[tuple[Path, Value]]:
    """Where each value stands that must keep the rules: every choice, or both ends of a range."""
    drawn, path = parameter.distribution, path_of(parameter)
    if isinstance(drawn, Constant):
        block = faults.root.at(*path).value
        keys = [key for key in ("value", "max", "values") if isinstance(block, dict) and key in block]
        return [((*path, *keys[:1]), drawn.choices[0])]
    if isinstance(drawn, Categorical):
        return [((*path, "values", index), value) for index, value in enumerate(drawn.choices)]
    return [((*path, "min"), drawn.low), ((*path, "max"), drawn.high)]


def path_of(parameter: Parameter) -> tuple[str, ...]:
    """Where the parameter stands in the file."""
    return ("parameters", parameter.name)


def _fits(block: ParameterSection, form: str, path: tuple[str, ...], faults: Faults) -> bool:
    """Note keys that have no meaning beside the others."""
    before = len(faults.found)
    given, named = block.model_fields_set, block.distribution
    for key, wanted in (("q", "range"), ("log", "range"), ("probabilities", "values")):
        if key in given and form != wanted:
            faults.fault((*path, key), f"`{key}` is for {_TAKES[wanted]}")
    if form == "range" and named:
        if "log" in given and block.log != (named in LOG_UNIFORM):
            rule = f"`log: {quoted(block.log)}` contradicts `distribution: {named}`"
            faults.fault((*path, "log"), rule, "leave one of them out")
        if "q" in given and not named.startswith("q_") and named != "int_uniform":
            faults.fault((*path, "q"), f"`{named}` takes no `q`", f"use `distribution: q_{named}`")
    if form == "range" and len(faults.found) == before:
        for key in sorted({"min", "max"} - given):
            faults.fault((*path, key), f"a range needs `min` and `max`, but `{key}` is missing")
    return len(faults.found) == before


def _range(block: ParameterSection, path: tuple[str, ...], faults: Faults) -> Float | Int:
    """What is drawn from one end to the other: numbers, whole numbers, powers of e, or multiples of `q`."""
    low, high, named = block.min, block.max, block.distribution
    whole = isinstance(low, int) and isinstance(high, int)
    log = bool(block.log) or named in LOG_UNIFORM
    got = f"but got (min={quoted(low)}, max={quoted(high)})"
    if low > high:
        raise Refused("min", f"`min <= max` must hold, {got}")
    if named == "int_uniform" and not whole:
        raise Refused(None, f"`int_uniform` needs whole `min` and `max`, {got}")
    if named in _EXPONENTS:
        values = f"use `distribution: {named}_values`"
        if high > 700:  # e**700 is near the largest float
            raise Refused("max", f"`{named}` draws e**x, and e**{quoted(high)} is too large", values)
        if low >= 0:
            drawn = f"from {math.exp(low):g} to {math.exp(high):g}"
            faults.warn(path, f"`{named}` takes exponents, so values are {drawn}; {values} if you mean values")
        low, high = math.exp(low), math.exp(high)
    if log and low <= 0:
        raise Refused("min", f"a log range must be above zero, but got (min={quoted(low)})")
    q = block.q if block.q is not None else (1 if named and named.startswith("q_") else None)
    if q is not None:
        first, last = _multiples(low, high, q, log)
        if not math.isclose(first * q, low, rel_tol=1e-9, abs_tol=1e-12):
            faults.warn(path, f"only multiples of q={quoted(q)} are drawn, the least is {first * q:.12g}")
        if isinstance(q, int):
            return Int(first * q, last * q, log, 1 if log else q)
        return Float(float(f"{first * q:.12g}"), float(f"{last * q:.12g}"), step=float(q))
    return Int(low, high, log) if whole and named in (None, "int_uniform") else Float(float(low), float(high), log)


def _multiples(low: float, high: float, q: float, log: bool) -> tuple[int, int]:
    """The first and the last multiple of q within the range: W&B rounds to them."""
    if max(abs(low), abs(high)) / q > MOST_STEPS:
        raise Refused("q", f"q={quoted(q)} is too fine for a range from {quoted(low)} to {quoted(high)}")
    first, last = -_floor(-low, q), _floor(high, q)
    if first > last:
        raise Refused("q", f"no multiple of q={quoted(q)} lies between min={quoted(low)} and max={quoted(high)}")
    if log and not (isinstance(q, int) and q == 1):
        hint = "use whole `min` and `max` with `q: 1`"
        if last - first < LISTABLE:
            hint += f", or `values: [{joined(f'{k * q:.12g}' for k in range(first, last + 1))}]`"
        raise Refused("q", f"a log range takes only `q: 1`, but got (q={quoted(q)})", hint)
    return first, last


def _floor(value: float, q: float) -> int:
    if isinstance(value, int) and isinstance(q, int):
        return value // q
    return math.floor(value / q + 1e-9)
