"""One parameter's keys -> a distribution, and the keys of a whole sweep file. They mean what they mean in W&B's.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys (distribution options for random and Bayesian search).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.text import joined, quoted
from keras_sweep.space_file.fault_list import FaultList, Path
from keras_sweep.space_file.file_model import ParameterSection
from keras_sweep.space_file.value_rules import LOG_UNIFORM

MOST_STEPS = 2**53  # beyond it a float can't tell two multiples apart
LISTABLE = 24  # so many values a hint still writes out

# W&B's distributions that we do not have -> what to use
REFUSED: Mapping[str, str] = {
    "normal": "use `min` and `max`, as from mu - 2 sigma to mu + 2 sigma",
    "q_normal": "use `min`, `max` and `q`",
    "log_normal": "use `min` and `max` with `log: true`",
    "q_log_normal": "use `min` and `max` with `log: true`",
    "beta": "use `min: 0.0` and `max: 1.0`",
    "q_beta": "use `min: 0.0`, `max: 1.0` and `q`",
    "inv_log_uniform": "use `distribution: log_uniform_values`",
    "inv_log_uniform_values": "use `distribution: log_uniform_values`",
    "categorical_w_probabilities": "use `values` with `probabilities`",
}
# keys at the top of a W&B sweep file that have no meaning here -> what they become
PASSED_OVER: Mapping[str, str] = {
    "program": "the model is `model: {{python: module:function}}`",
    "method": "the sampler is `search: {{sampler: {sampler}}}`",
    "run_cap": "how many trials there are is `search: {{trials: {value}}}`",
    "name": "a sweep has the name of its file, or that of `--name`",
    "description": "a comment says it",
    "command": "`sweep run` has options for what it may change",
    "project": "a folder, `--sweeps-dir`, holds the sweeps that belong together",
    "entity": "a sweep has no owner",
}
_SAMPLERS = {"grid": "grid", "random": "random"}  # of W&B's `method`; `bayes` is `tpe`
_FORM = {"constant": "value", "categorical": "values"}  # every other distribution has a range
_EXPONENTS = ("log_uniform", "q_log_uniform")


@dataclass(frozen=True, slots=True)
class Constant(Categorical):
    """The same value in every trial: a choice of one."""

    @property
    def value(self) -> Value:
        """The value."""
        return self.choices[0]


def instead_of(key: str, plain: object) -> str:
    """What a key of `PASSED_OVER` with this value becomes here."""
    return PASSED_OVER[key].format(value=quoted(plain), sampler=_SAMPLERS.get(str(plain), "tpe"))


def as_value(plain: object) -> Value:
    """A value of the file as trials have it: a list becomes a tuple."""
    if isinstance(plain, list):
        return tuple(as_value(item) for item in plain)
    assert plain is None or isinstance(plain, bool | int | float | str)
    return plain


def choice(block: ParameterSection, path: Path, faults: FaultList) -> Distribution | None:
    """What the block draws from; None, with the faults noted, where it is not clear."""
    given = block.model_fields_set
    forms: list[str] = [form for form in ("value", "values") if form in given]
    if given & {"min", "max"}:
        forms.append("range")
    named = block.distribution
    if len(forms) > 1:
        both = joined(f"`{key}`" for key in ("value", "values", "min", "max") if key in given)
        faults.fault(path, f"only one of `value`, `values`, and `min` with `max` may be given, but got {both}")
        return None
    form = _FORM.get(named, "range") if named else (forms[0] if forms else None)
    if form is None:
        faults.fault(path, "a parameter needs `value`, `values`, or `min` and `max`")
        return None
    if forms and forms != [form]:
        faults.fault((*path, "distribution"), f"`{named}` takes {_takes(form)}, but got {_takes(forms[0])}")
        return None
    if not _fits(block, form, path, faults):
        return None
    if form == "value":
        if "value" not in given:
            faults.fault(path, "`distribution: constant` needs `value`")
            return None
        return Constant((as_value(block.value),))
    return _categorical(block, path, faults) if form == "values" else _range(block, path, faults)


def _takes(form: str) -> str:
    return "`min` and `max`" if form == "range" else f"`{form}`"


def _fits(block: ParameterSection, form: str, path: Path, faults: FaultList) -> bool:
    """Notes keys that have no meaning beside the others."""
    before = len(faults.found)
    given, named = block.model_fields_set, block.distribution
    for key in ("q", "log"):
        if key in given and form != "range":
            faults.fault((*path, key), f"`{key}` is for a range of `min` and `max`")
    if "probabilities" in given and form != "values":
        faults.fault((*path, "probabilities"), "`probabilities` are for `values`")
    if form == "range" and named:
        if "log" in given and block.log != (named in LOG_UNIFORM):
            faults.fault(
                (*path, "log"),
                f"`log: {quoted(block.log)}` contradicts `distribution: {named}`",
                "leave one of them out",
            )
        if "q" in given and not named.startswith("q_") and named != "int_uniform":
            faults.fault((*path, "q"), f"`{named}` takes no `q`", f"use `distribution: q_{named}`")
    return len(faults.found) == before


def _categorical(block: ParameterSection, path: Path, faults: FaultList) -> Categorical | None:
    if block.values is None:
        faults.fault(path, "`distribution: categorical` needs `values`")
        return None
    choices = tuple(as_value(value) for value in block.values)
    try:
        Categorical(choices)
    except ValueError as error:
        faults.fault((*path, "values"), str(error))
        return None
    if block.probabilities is None:
        return Categorical(choices)
    try:
        return Categorical(choices, tuple(float(share) for share in block.probabilities))
    except ValueError as error:
        faults.fault((*path, "probabilities"), str(error))
        return None


def _range(block: ParameterSection, path: Path, faults: FaultList) -> Float | Int | None:
    for key, end in (("min", block.min), ("max", block.max)):
        if end is None:
            faults.fault((*path, key), f"a range needs `min` and `max`, but `{key}` is missing")
    if block.min is None or block.max is None:
        return None
    return _between(block.min, block.max, block, path, faults)


def _between(low: float, high: float, block: ParameterSection, path: Path, faults: FaultList) -> Float | Int | None:
    """What is drawn from one end to the other: numbers, whole numbers, powers of e, or multiples of `q`."""
    named = block.distribution
    log = bool(block.log) or named in LOG_UNIFORM
    if low > high:
        faults.fault((*path, "min"), f"`min <= max` must hold, but got (min={quoted(low)}, max={quoted(high)})")
        return None
    if named == "int_uniform" and not (isinstance(low, int) and isinstance(high, int)):
        faults.fault(
            path, f"`int_uniform` needs whole `min` and `max`, but got (min={quoted(low)}, max={quoted(high)})"
        )
        return None
    if named in _EXPONENTS:
        if not _exponents_fit(named, low, high, path, faults):
            return None
        low, high = math.exp(low), math.exp(high)
    if log and low <= 0:
        faults.fault((*path, "min"), f"a log range must be above zero, but got (min={quoted(low)})")
        return None
    q = block.q if block.q is not None else (1 if named and named.startswith("q_") else None)
    if q is not None:
        return _multiples(low, high, q, log, path, faults)
    if isinstance(low, int) and isinstance(high, int) and named in (None, "int_uniform"):
        return Int(low, high, log)
    return Float(float(low), float(high), log)


def _exponents_fit(named: str, low: float, high: float, path: Path, faults: FaultList) -> bool:
    """Whether e**low to e**high are numbers; notes it where they are not, or where values seem to be meant."""
    if high > 700:  # e**700 is near the largest float
        faults.fault((*path, "max"), f"`{named}` draws e**x, and e**{quoted(high)} is too large", _values(named))
        return False
    if low >= 0:
        faults.warn(
            path,
            f"`{named}` takes exponents, so values are from {math.exp(low):g} to {math.exp(high):g}; "
            f"{_values(named)} if you mean values",
        )
    return True


def _values(named: str) -> str:
    return f"use `distribution: {named}_values`"


def _multiples(low: float, high: float, q: float, log: bool, path: Path, faults: FaultList) -> Float | Int | None:
    """The multiples of q within the range: W&B rounds to them."""
    if max(abs(low), abs(high)) / q > MOST_STEPS:
        faults.fault((*path, "q"), f"q={quoted(q)} is too fine for a range from {quoted(low)} to {quoted(high)}")
        return None
    first, last = _ceil(low, q), _floor(high, q)
    if first > last:
        faults.fault(
            (*path, "q"), f"no multiple of q={quoted(q)} lies between min={quoted(low)} and max={quoted(high)}"
        )
        return None
    whole = isinstance(q, int)
    if log and not (whole and q == 1):
        hint = "use whole `min` and `max` with `q: 1`"
        if last - first < LISTABLE:
            hint += f", or `values: [{joined(f'{k * q:.12g}' for k in range(first, last + 1))}]`"
        faults.fault((*path, "q"), f"a log range takes only `q: 1`, but got (q={quoted(q)})", hint)
        return None
    if not math.isclose(first * q, low, rel_tol=1e-9, abs_tol=1e-12):
        faults.warn(path, f"only multiples of q={quoted(q)} are drawn, the least is {first * q:.12g}")
    if whole:
        return Int(first * int(q), last * int(q), log, 1 if log else int(q))
    return Float(float(f"{first * q:.12g}"), float(f"{last * q:.12g}"), step=float(q))


def _ceil(value: float, q: float) -> int:
    return -_floor(-value, q)


def _floor(value: float, q: float) -> int:
    if isinstance(value, int) and isinstance(q, int):
        return value // q
    return math.floor(value / q + 1e-9)
