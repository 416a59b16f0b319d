"""A spec as flat plain data, so that two can be compared and a difference can be named by its key."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_sweep.space.data_spec import find_source
from keras_sweep.space.distributions import Categorical, Distribution, Float
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import quote


def flatten_spec(spec: SweepSpec) -> dict[str, Any]:
    """All that decides what a trial is, not the engine nor how many trials: dotted key -> JSON value."""
    goals = spec.objective.further
    flat: dict[str, Any] = {
        "data": _data_words(spec),
        **_flat("data", spec.data.words),
        "model": spec.model.source,
        "loss": "the model's own" if "loss" in spec.own else spec.loss,
        "metrics": [] if "metrics" in spec.own else list(spec.metrics),
        "metric.name": spec.objective.name,
        "metric.goal": spec.objective.goal.value,
        **({"metric.further": further} if (further := [f"{one.goal} {one.name}" for one in goals]) else {}),
        "search.seed": spec.search.seed,
        "search.generation": spec.search.generation,
        **({"search.start": _plain(spec.search.start)} if spec.search.start else {}),
        **({"search.learn_from": spec.search.learn_from} if spec.search.learn_from else {}),
        "epochs.take": "best" if spec.objective.take_best else "last",
        **_flat("split", {name: value for name, value in asdict(spec.data.split).items() if value is not None}),
        **_flat("model", spec.model.arguments),
        **_flat("loss", {} if "loss" in spec.own else spec.loss_arguments),
        **_flat("metrics", {} if "metrics" in spec.own else spec.metric_arguments),
        **_flat("parameters", spec.space.constants),
    }
    for name, output in () if "loss" in spec.own else spec.outputs.items():
        flat |= {f"loss.{name}": output.loss, f"loss_weights.{name}": output.weight}
        flat |= _flat(f"loss.{name}", output.loss_arguments) | _flat(f"metrics.{name}", output.metric_arguments)
    flat |= _flat("training", {name: value for name, value in asdict(spec.training).items() if value})
    for parameter in spec.space.parameters:
        when = {condition.parameter: condition.values for condition in parameter.when}
        flat |= _flat(f"parameters.{parameter.key}", {**_distribution(parameter.distribution), "when": when})
    if spec.space.where:
        flat["where"] = list(spec.space.where)
    if spec.early_terminate:
        flat |= _flat("early_terminate", {name: value for name, value in asdict(spec.early_terminate).items() if value})
    return flat


def _flat(key: str, value: Any) -> dict[str, Any]:
    """What stands under a key: of a map each value, by the key and its own with a dot between; a tuple is a list."""
    if isinstance(value, Mapping):
        return {leaf: one for name, inner in value.items() for leaf, one in _flat(f"{key}.{name}", inner).items()}
    return {key: _plain(value)}


def describe_computation(flat: Mapping[str, Any], metric: str) -> str:
    """What a metric's values depend on beside its name, as the end of a sentence: " (loss: mean_squared_error)"."""
    name = metric.removeprefix("val_")
    of_loss = name.endswith("loss") and name not in flat.get("metrics", ())
    kept = [key for key in flat if key.startswith("loss" if of_loss else f"metrics.{name}.")]
    return f" ({', '.join(f'{key}: {_text(flat, key)}' for key in kept)})" if kept else ""


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs, in the words of a space file, a line a key: `parameters.learning_rate.max: 1.0 -> 0.1`."""
    # as texts: 1, 1.0 and true are equal, and yet not the same
    before, after = ({key: repr(value) for key, value in flat.items()} for flat in (old, new))
    changed = [key for key in {**old, **new} if before.get(key) != after.get(key)]
    return [f"{key}: {_text(old, key)} -> {_text(new, key)}" for key in changed]


def _text(flat: Mapping[str, Any], key: str) -> str:
    if key not in flat:
        return "not there"
    return flat[key] if isinstance(flat[key], str) else quote(flat[key])


def _data_words(spec: SweepSpec) -> str:
    source = find_source(spec.data.kind)
    if source.names in ("data set", "function"):
        return spec.data.source
    target = f", target {spec.data.target}" if spec.data.target else ""
    target += f", transform {spec.data.transform}" if spec.data.transform else ""
    target += f", weights {spec.data.weights}" if spec.data.weights else ""
    return f"{spec.data.kind} {Path(spec.data.source).name if source.is_path else spec.data.source}{target}"


def _distribution(distribution: Distribution) -> dict[str, Any]:
    if isinstance(distribution, Categorical):
        weighed = {"probabilities": distribution.probabilities} if distribution.probabilities else {}
        return {"values": distribution.choices, **weighed}
    kind = float if isinstance(distribution, Float) else int
    ends = {"min": kind(distribution.low), "max": kind(distribution.high)}
    return {**ends, "log": distribution.log, "q": distribution.step}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
