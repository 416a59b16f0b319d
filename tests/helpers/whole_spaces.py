"""Small sweeps for the fault tests: a second each, every part of the command used."""

from __future__ import annotations

_DATA = "data: digits\nmodel:\n  dense: {units: 10, activation: softmax}\n"
_GOAL = "loss: sparse_categorical_crossentropy\nmetrics: [accuracy]\nmetric: {name: val_accuracy, goal: maximize}\n"
_CHOICES = "optimizer: {values: [sgd, adam]}\n  learning_rate: {min: 1e-4, max: 0.3, log: true}\n  batch_size: 256\n"

SPACES = {
    "plain": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{min: 1, max: 3}}\n"
    "search: {engine: optuna, sampler: tpe, trials: 18, seed: 42}\n",
    "pruned": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{max: 4, take: best}}\n"
    "early_terminate: {type: hyperband, min_iter: 1, eta: 2}\n"
    "search: {engine: optuna, sampler: random, trials: 18, seed: 42}\n",
    "tuner": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{max: 2, take: best}}\n"
    "search: {engine: keras-tuner, sampler: bayesian, trials: 18, seed: 42}\n",
    "bands": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{min: 1, max: 4}}\n"
    "search: {engine: keras-tuner, sampler: hyperband, trials: 20, seed: 42}\n",
    "finalists": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{min: 2, max: 3}}\n"
    "search: {engine: optuna, sampler: random, trials: 5, seed: 42}\n"
    "finalists: {top: 3, seeds: 2}\n",
    "fit": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: 1\n"
    "search: {engine: optuna, sampler: tpe, trials: 3, seed: 42}\n",
    "folds": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{max: 2, take: best}}\n"
    "split: {folds: 2}\nsearch: {engine: optuna, sampler: random, trials: 1, seed: 42}\n",
    "folds_in_lanes": f"{_DATA}{_GOAL}parameters:\n  {_CHOICES}  epochs: {{max: 2, take: best}}\n"
    "split: {folds: 2}\nsearch: {engine: optuna, sampler: random, trials: 3, seed: 42}\n",
}
FEW_FINALISTS = "finalists: {top: 2, seeds: 1}\n"  # enough to see what befalls them
PLAIN = SPACES["plain"] + "finalists: none\n"
RUNNERS = {"fit": ["--runner", "fit"], "folds": ["--runner", "fit"]}  # the others train in lanes


def whole_text(space: str) -> str:
    """The text of a space, with finalists."""
    return SPACES[space] if "finalists" in SPACES[space] else SPACES[space] + FEW_FINALISTS


def arguments(space: str, *more: str) -> list[str]:
    """The words after `sweep` that run a space which lies in the working folder."""
    return ["run", f"{space}.yaml", *RUNNERS.get(space, []), *more]
