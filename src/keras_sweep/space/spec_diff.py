"""A spec as flat plain data, so that two can be compared and a difference can be named by its key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_sweep.space.distributions import Categorical, Distribution, Float, Value
from keras_sweep.space.sweep_spec import SweepSpec

Plain = dict[str, Any]
LONGEST = 60  # characters of a value in a line
_OF_A_PARAMETER = re.compile(r"(parameters\..+?)\.(?:values|probabilities|min|max|log|q|when\..+)")


def flat_spec(spec: SweepSpec) -> Plain:
    """Everything that decides what a trial of the sweep is: dotted key -> JSON value.

    The engine, the sampler and the number of trials are left out: a sweep may go on with others.
    """
    flat: Plain = {
        "data": _data_words(spec),
        "model": spec.model.source,
        "loss": spec.loss,
        "metrics": list(spec.metrics),
        "metric.name": spec.objective.name,
        "metric.goal": spec.objective.goal.value,
        "search.seed": spec.search.seed,
        "search.generation": spec.search.generation,
        "epochs.take": "best" if spec.take_best else "last",
        **{f"split.{name}": value for name, value in asdict(spec.data.split).items()},
        **{f"model.{name}": _plain(value) for name, value in spec.model.arguments.items()},
        **{f"parameters.{name}": _plain(value) for name, value in spec.space.constants.items()},
    }
    for parameter in spec.space.parameters:
        key = f"parameters.{parameter.name}"
        flat |= {f"{key}.{name}": value for name, value in _distribution(parameter.distribution).items()}
        for condition in parameter.when:
            flat[f"{key}.when.{condition.parameter}"] = _plain(condition.values)
    if spec.early_terminate:
        flat |= {f"early_terminate.{name}": value for name, value in asdict(spec.early_terminate).items()}
    return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs, in the words of a space file: `parameters.learning_rate.max: 1.0 -> 0.1`.

    One line a key; a parameter that has other keys now, or is new, or is gone, is one line as a whole.
    """
    lines: list[str] = []
    for entry in dict.fromkeys(_entry(key) for key in (*old, *new)):
        keys = [[key for key in flat if _entry(key) == entry] for flat in (old, new)]
        if set(keys[0]) != set(keys[1]):
            lines.append(f"{entry}: {_whole(old, entry, keys[0])} -> {_whole(new, entry, keys[1])}")
        else:
            # as texts: 1, 1.0 and true are equal, and yet not the same
            changed = [key for key in keys[0] if repr(old[key]) != repr(new[key])]
            lines += [f"{key}: {_text(old[key])} -> {_text(new[key])}" for key in changed]
    return lines


def _entry(key: str) -> str:
    """What a key belongs to: a parameter, a section, or itself."""
    of_parameter = _OF_A_PARAMETER.fullmatch(key)
    return of_parameter[1] if of_parameter else "early_terminate" if key.startswith("early_terminate.") else key


def _whole(flat: Mapping[str, Any], entry: str, keys: list[str]) -> str:
    """A parameter as a map of what is not its default."""
    if not keys:
        return "not there"
    if keys == [entry]:
        return _text(flat[entry])
    plain = {"log": False, "q": 1}
    said = {key.removeprefix(f"{entry}."): flat[key] for key in keys if flat[key] is not None}
    parts = [f"{name}: {_text(value)}" for name, value in said.items() if plain.get(name, ()) != value]
    return "{" + ", ".join(parts) + "}"


def _text(value: Any) -> str:
    """A value as YAML would have it, in one line, without its middle where that is long."""
    if isinstance(value, list | tuple):
        text = "[" + ", ".join(_text(one) for one in value) + "]"
    elif value is None or isinstance(value, bool):
        text = {None: "none", True: "true", False: "false"}[value]
    else:
        text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 3 :]}"


def _data_words(spec: SweepSpec) -> str:
    if spec.data.kind in ("named", "python"):
        return spec.data.source
    target = f", target {spec.data.target}" if spec.data.target else ""
    return f"{spec.data.kind} {Path(spec.data.source).name}{target}"


def _distribution(distribution: Distribution) -> Plain:
    if isinstance(distribution, Categorical):
        weighed = {"probabilities": list(distribution.probabilities)} if distribution.probabilities else {}
        return {"values": [_plain(choice) for choice in distribution.choices], **weighed}
    kind = float if isinstance(distribution, Float) else int
    ends = {"min": kind(distribution.low), "max": kind(distribution.high)}
    return {**ends, "log": distribution.log, "q": distribution.step}


def _plain(value: Value) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
