"""`model`: what is built for a trial."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space.text import did_you_mean, quoted
from keras_sweep.space_file.fault_list import FaultList, unknown
from keras_sweep.space_file.file_model import DENSE_ARGUMENTS, DenseSection
from keras_sweep.space_file.python_module import check_source
from keras_sweep.space_file.value_rules import SOURCE, VALUE
from keras_sweep.space_file.wandb_keys import as_value
from keras_sweep.space_file.yaml_tree import Node


def model_of(faults: FaultList, folder: Path) -> ModelSpec | None:
    """What `model` says; None with its faults noted."""
    if not faults.has("model"):
        return None
    node = faults.root.at("model")
    forms = "`dense`, {dense: {units: 10}} or {python: module:function}"
    if node.value == "dense":
        return ModelSpec("dense", "dense")
    if not isinstance(node.value, dict):
        hint = did_you_mean(node.value, ["dense"]) if isinstance(node.value, str) else None
        faults.fault(("model",), f"must be {forms}, but got {quoted(node.plain)}", hint)
        return None
    if "python" in node.value:
        return _python_model(faults, node, folder)
    if "dense" not in node.value:
        hint = next((text for key in node.value if (text := did_you_mean(key, ["dense", "python"]))), None)
        faults.fault(("model",), f"must be {forms}, but got {quoted(node.plain)}", hint)
        return None
    for key in node.value:
        if key != "dense":
            inside = f"put it inside: {{dense: {{{key}: ...}}}}" if key in DENSE_ARGUMENTS else unknown(key, ["dense"])
            faults.fault(("model", key), "there is no such key here", inside)
    inner = node.value["dense"]
    if inner.value is None:  # `dense:` with nothing below it
        return ModelSpec("dense", "dense")
    faults.section(DenseSection, ("model", "dense"))
    given = inner.plain if isinstance(inner.value, dict) else {}
    fitting = {
        key: as_value(given[key]) for key, rule in DENSE_ARGUMENTS.items() if key in given and rule.allows(given[key])
    }
    return ModelSpec("dense", "dense", fitting)


def _python_model(faults: FaultList, node: Node, folder: Path) -> ModelSpec | None:
    assert isinstance(node.value, dict)
    arguments = {key: below.plain for key, below in node.value.items()}
    source = arguments.pop("python")
    good = faults.fits(SOURCE, ("model", "python"), source)
    for key, value in arguments.items():
        good &= faults.fits(VALUE, ("model", key), value)
        if not key.isidentifier():
            faults.fault(("model", key), f"a model's argument is a Python name, but got {quoted(key)}")
    if not good:
        return None
    check_source(faults, ("model", "python"), source, folder)
    return ModelSpec("python", source, {key: as_value(value) for key, value in arguments.items()})
