"""Space files that the tests change."""

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from keras_sweep.space.distributions import Distribution
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.space_file.sections import make_space_file_schema

SCHEMA = make_space_file_schema()
DENSE = """\
data: fashion_mnist
model:
  dense: {units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_accuracy, goal: maximize}
parameters:
  optimizer: {values: [sgd, rmsprop, adam]}
  learning_rate: {min: 1e-4, max: 1.0, log: true}
  epochs: {min: 1, max: 20}
search: {engine: optuna, sampler: tpe, trials: 64, seed: 42}
"""  # learning_rate is on line 9
# as in the documentation of W&B, the names of parameters apart
WANDB_BLOCK = """\
metric:
  goal: minimize
  name: val_loss
parameters:
  optimizer:
    values: ["adam", "sgd"]
  batch_size:
    distribution: q_log_uniform_values
    max: 256
    min: 32
    q: 1
  learning_rate:
    distribution: uniform
    max: 0.1
    min: 0.0001
  model.dropout:
    values: [0.3, 0.4, 0.5]
  model.hidden:
    values: [128, 256, 512]
  epochs:
    value: 27
  weight_decay:
    distribution: log_uniform
    min: -10
    max: -2
  seed:
    distribution: int_uniform
    min: 1
    max: 9
  ema_momentum:
    distribution: q_uniform
    min: 0.1
    max: 0.9
    q: 0.1
  use_ema:
    distribution: constant
    value: true
  clipnorm:
    distribution: categorical
    values: [1, 2]
    probabilities: [0.25, 0.75]
early_terminate:
  type: hyperband
  min_iter: 3
"""
# the rest of a space file
OURS = """\
data: fashion_mnist
model: dense
loss: sparse_categorical_crossentropy
"""


def small(**sections: str) -> str:
    """A space file of digits with these sections in place of the usual ones, or besides; "" drops a section."""
    usual = {
        "data": "digits",
        "model": "{dense: {units: 10, activation: softmax}}",
        "loss": "sparse_categorical_crossentropy",
        "metrics": "[accuracy]",
        "metric": "{name: val_accuracy, goal: maximize}",
        "parameters": "{learning_rate: {min: 0.01, max: 1.0, log: true}, epochs: 1}",
        "search": "{sampler: random, trials: 2, seed: 42}",
    }
    return "".join(f"{name}: {text}\n" for name, text in {**usual, **sections}.items() if text)


def changed(text: str, **lines: str) -> str:
    """A space file with the line of a key replaced by other text ("" drops it)."""
    out = []
    for line in text.splitlines():
        key = line.strip().split(":")[0]
        if key not in lines:
            out.append(line)
        elif lines[key]:
            out.append(lines[key])
        lines.pop(key, None)
    assert not lines, lines
    return "\n".join(out) + "\n"


def dense(**lines: str) -> str:
    """The dense file with the line of a key replaced by other text ("" drops it)."""
    return changed(DENSE, **lines)


DIGITS = dense(
    data="data: digits",
    optimizer="  optimizer: {values: [sgd, adam]}",
    learning_rate="  learning_rate: {min: 1e-3, max: 1.0, log: true}",
    epochs="  epochs: {min: 1, max: 5}",
    search="search: {engine: optuna, sampler: tpe, trials: 6, seed: 42}",
)


def with_parameters(*lines: str) -> str:
    """The dense file with these lines (indented here) as its parameters: the first is on line 8."""
    head, rest = DENSE.split("  optimizer:")
    return head + "".join(f"  {line}\n" for line in lines) + rest[rest.index("search:") :]


def own_model(text: str, source: str = "numpy:zeros") -> str:
    """The dense file with a function as its model, which may have parameters of any name."""
    return text.replace("dense: {units: 10, activation: softmax}", f"python: {source}")


def spec_of(text: str, folder: Path = Path(), **options: Any) -> SweepSpec:
    """What the text says as `space.yaml` of a folder."""
    return read_space_file(folder / "space.yaml", text=text, **options)


def schema_errors(value: Any, schema: Any = SCHEMA) -> list[str]:
    """What an editor would mark in a space file, by its JSON Schema, or by a part of that."""
    checked = Draft202012Validator({"$defs": SCHEMA["$defs"], **schema})
    return [error.message for error in checked.iter_errors(value)]


def drawn_from(spec: SweepSpec, name: str) -> Distribution:
    """What the parameter of that name is drawn from."""
    return next(parameter.distribution for parameter in spec.space.parameters if parameter.name == name)
