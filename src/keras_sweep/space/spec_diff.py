"""Compare the specs (checked space files) of two runs. Each difference has a dotted key: `metric.goal`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_sweep.space.data_spec import find_source
from keras_sweep.space.distributions import Categorical, Distribution, Float
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import quote


def flatten_spec(spec: SweepSpec) -> dict[str, Any]:
    """Return dotted key ("metric.goal") -> JSON value of all settings, except engine, sampler and number of trials."""
    goals = spec.objective.further
    flat: dict[str, Any] = {
        "data": _describe_data(spec),
        **_flatten("data", spec.data.words),
        "model": spec.model.source,
        "loss": "the model's own" if "loss" in spec.own else spec.loss,
        "metrics": [] if "metrics" in spec.own else list(spec.metrics),
        "metric.name": spec.objective.name,
        "metric.goal": spec.objective.goal.value,
        **({"metric.further": further} if (further := [f"{goal.goal} {goal.name}" for goal in goals]) else {}),
        "search.seed": spec.search.seed,
        **({"search.seeds": spec.search.seeds} if spec.search.seeds > 1 else {}),
        "search.generation": spec.search.generation,
        **({"search.pace": spec.search.pace} if spec.search.pace else {}),
        **(_flatten("search.start", spec.search.start) if spec.search.start else {}),
        **({"search.learn_from": spec.search.learn_from} if spec.search.learn_from else {}),
        **_flatten("search.options", spec.search.options or {}),
        "epochs.take": "best" if spec.objective.take_best else "last",
        **_flatten("split", {name: value for name, value in asdict(spec.data.split).items() if value is not None}),
        **_flatten("model", spec.model.arguments),
        **_flatten("loss", {} if "loss" in spec.own else spec.loss_arguments),
        **_flatten("metrics", {} if "metrics" in spec.own else spec.metric_arguments),
        **_flatten("parameters", spec.space.constants),
    }
    for name, output in () if "loss" in spec.own else spec.outputs.items():
        flat |= {f"loss.{name}": output.loss, f"loss_weights.{name}": output.weight}
        flat |= _flatten(f"loss.{name}", output.loss_arguments) | _flatten(f"metrics.{name}", output.metric_arguments)
    flat |= _flatten("training", {name: value for name, value in asdict(spec.training).items() if value})
    for parameter in spec.space.parameters:
        when = {condition.parameter: condition.values for condition in parameter.when}
        flat |= _flatten(f"parameters.{parameter.key}", {**describe_distribution(parameter.distribution), "when": when})
    if spec.space.where:
        flat["where"] = list(spec.space.where)
    if spec.early_terminate:
        flat |= _flatten(
            "early_terminate", {name: value for name, value in asdict(spec.early_terminate).items() if value}
        )
    return flat


def _flatten(key: str, value: Any) -> dict[str, Any]:
    """Flatten nested mappings to "KEY.NAME" -> value. If `value` is no mapping, return {key: value}."""
    if isinstance(value, Mapping):
        return {
            leaf: plain for name, inner in value.items() for leaf, plain in _flatten(f"{key}.{name}", inner).items()
        }
    return {key: json.loads(json.dumps(value))}


def describe_computation(flat: Mapping[str, Any], metric: str) -> str:
    """Return how a spec computes `metric`, to print after its name: " (loss: mean_squared_error)".
    Returns "" if no setting says it. `flat` is the result of `flatten_spec`."""
    name = metric.removeprefix("val_")
    is_loss = name.endswith("loss") and name not in flat.get("metrics", ())
    keys = [key for key in flat if key.startswith("loss" if is_loss else f"metrics.{name}.")]
    return f" ({', '.join(f'{key}: {_format_value(flat, key)}' for key in keys)})" if keys else ""


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List the differences between two results of `flatten_spec`: "parameters.learning_rate.max: 1.0 -> 0.1"."""
    # Compared as text, since 1, 1.0 and true are equal in Python.
    before, after = ({key: repr(value) for key, value in flat.items()} for flat in (old, new))
    changed = [key for key in {**old, **new} if before.get(key) != after.get(key)]
    return [f"{key}: {_format_value(old, key)} -> {_format_value(new, key)}" for key in changed]


def _format_value(flat: Mapping[str, Any], key: str) -> str:
    if key not in flat:
        return "not set"
    return flat[key] if isinstance(flat[key], str) else quote(flat[key])


def _describe_data(spec: SweepSpec) -> str:
    source = find_source(spec.data.kind)
    if source.names in ("data set", "function"):
        return spec.data.source
    target = f", target {spec.data.target}" if spec.data.target else ""
    target += f", transform {spec.data.transform}" if spec.data.transform else ""
    target += f", weights {spec.data.weights}" if spec.data.weights else ""
    return f"{spec.data.kind} {Path(spec.data.source).name if source.is_path else spec.data.source}{target}"


def describe_distribution(distribution: Distribution) -> dict[str, Any]:
    if isinstance(distribution, Categorical):
        weighed = {"probabilities": distribution.probabilities} if distribution.probabilities else {}
        return {"values": distribution.choices, **weighed}
    kind = float if isinstance(distribution, Float) else int
    ends = {"min": kind(distribution.low), "max": kind(distribution.high)}
    return {**ends, "log": distribution.log, "q": distribution.step}
