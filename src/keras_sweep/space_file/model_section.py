"""`model`: what is built for a trial."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.space.plain_text import did_you_mean, shown
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space_file.dense_arguments import DENSE_ARGUMENTS, dense_fault
from keras_sweep.space_file.findings import Findings, unknown
from keras_sweep.space_file.python_module import check_source
from keras_sweep.space_file.wandb_keys import as_value, holds_map
from keras_sweep.space_file.yaml_tree import Node


def model_of(findings: Findings, folder: Path) -> ModelSpec | None:
    """What `model` says; None with its faults noted."""
    from keras_sweep.space_file.file_model import DenseBlock, PythonModel

    if not findings.has("model"):
        return None
    node = findings.root.at("model")
    forms = "`dense`, {dense: {units: 10}} or {python: module:function}"
    if node.value == "dense":
        return ModelSpec("dense", "dense")
    if not isinstance(node.value, dict):
        hint = did_you_mean(node.value, ["dense"]) if isinstance(node.value, str) else None
        findings.fault(("model",), f"must be {forms}, but got {shown(node.plain)}", hint)
        return None
    if "python" in node.value:
        python = findings.block(PythonModel, ("model",))
        return None if python is None else _python_model(findings, str(python.python), node, folder)
    if "dense" not in node.value:
        hint = next((text for key in node.value if (text := did_you_mean(key, ["dense", "python"]))), None)
        findings.fault(("model",), f"must be {forms}, but got {shown(node.plain)}", hint)
        return None
    for key in node.value:
        if key != "dense":
            inside = f"put it inside: {{dense: {{{key}: ...}}}}" if key in DENSE_ARGUMENTS else unknown(key, ["dense"])
            findings.fault(("model", key), "there is no such key here", inside)
    inner = node.value["dense"]
    if inner.value is None:  # `dense:` with nothing below it
        return ModelSpec("dense", "dense")
    findings.block(DenseBlock, ("model", "dense"))
    given = inner.plain if isinstance(inner.value, dict) else {}
    arguments = {
        key: as_value(value) for key, value in given.items() if key in DENSE_ARGUMENTS and not holds_map(value)
    }
    for key, value in arguments.items():
        if fault := dense_fault(key, value):
            findings.fault(("model", "dense", key), *fault)
    return ModelSpec("dense", "dense", arguments)


def _python_model(findings: Findings, source: str, node: Node, folder: Path) -> ModelSpec:
    check_source(findings, ("model", "python"), source, folder)
    arguments = {key: as_value(value) for key, value in node.plain.items() if key != "python"}
    for key in arguments:
        if not key.isidentifier():
            findings.fault(("model", key), f"a model's argument is a Python name, but got {shown(key)}")
    return ModelSpec("python", source, arguments)
