"""A spec as flat plain data, so that two can be compared and a difference can be named by its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from keras_sweep.space.distributions import Categorical, Distribution, Float, Value
from keras_sweep.space.sweep_spec import SweepSpec

Plain = dict[str, Any]


def canonical(spec: SweepSpec) -> Plain:
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
        "epochs.take": "best" if spec.take_best else "last",
    }
    for field in fields(spec.data.split):
        flat[f"split.{field.name}"] = getattr(spec.data.split, field.name)
    for name, value in spec.model.arguments.items():
        flat[f"model.{name}"] = _plain(value)
    for name, value in spec.space.constants.items():
        flat[f"parameters.{name}"] = _plain(value)
    for parameter in spec.space.parameters:
        key = f"parameters.{parameter.name}"
        flat |= {f"{key}.{name}": value for name, value in _distribution(parameter.distribution).items()}
        for condition in parameter.when:
            flat[f"{key}.when.{condition.parameter}"] = _plain(condition.values)
    if spec.early_terminate:
        for field in fields(spec.early_terminate):
            flat[f"early_terminate.{field.name}"] = getattr(spec.early_terminate, field.name)
    return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line a key that differs: `parameters.learning_rate.max: 1.0 -> 0.1`."""
    keys = [*old, *(key for key in new if key not in old)]
    return [f"{key}: {_words(old, key)} -> {_words(new, key)}" for key in keys if _differ(old, new, key)]


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    if key.startswith("split.") and key in old and key in new:  # a share of 0 may be recorded as 0 or as 0.0
        return bool(old[key] != new[key])
    return _words(old, key) != _words(new, key)


def _words(flat: Mapping[str, Any], key: str) -> str:
    return repr(flat[key]) if key in flat else "(not there)"


def _data_words(spec: SweepSpec) -> str:
    if spec.data.kind in ("named", "python"):
        return spec.data.source
    target = f", target {spec.data.target}" if spec.data.target else ""
    return f"{spec.data.kind} {Path(spec.data.source).name}{target}"


def _distribution(distribution: Distribution) -> Plain:
    if isinstance(distribution, Categorical):
        weighed = {"probabilities": list(distribution.probabilities)} if distribution.probabilities else {}
        return {"values": [_plain(choice) for choice in distribution.choices], **weighed}
    found: Plain = {"min": distribution.low, "max": distribution.high, "log": distribution.log, "q": distribution.step}
    return {
        name: float(value) if isinstance(distribution, Float) and name in ("min", "max") else value
        for name, value in found.items()
    }


def _plain(value: Value) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
