"""Space files that the tests change."""

from __future__ import annotations

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


def dense(**lines: str) -> str:
    """The dense file with the line of a key replaced by other text ("" drops it)."""
    out = []
    for line in DENSE.splitlines():
        key = line.strip().split(":")[0]
        if key not in lines:
            out.append(line)
        elif lines[key]:
            out.append(lines[key])
        lines.pop(key, None)
    assert not lines, lines
    return "\n".join(out) + "\n"


def with_parameters(*lines: str) -> str:
    """The dense file with these lines (indented here) as its parameters: the first is on line 8."""
    head, rest = DENSE.split("  optimizer:")
    return head + "".join(f"  {line}\n" for line in lines) + rest[rest.index("search:") :]
