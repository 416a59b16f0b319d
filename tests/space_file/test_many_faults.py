"""All faults of a space file are told at once, each readable, and no more of them than one can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.yaml_file import read_space_text
from tests.helpers.space_texts import dense, with_parameters


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
data: fashion-mnist
model: {dense: {units: none, activation: sofmax}}
loss: mean_squared_eror
metrics: [accuracy, foo]
metric: {name: val_acc, goal: up}
parameters:
  optimizer: {values: [sgd, adamm]}
  learning_rate: {min: 1, max: 0.1}
  epochs: {min: 0, max: 3}
  momentun: 0.9
search: {engine: optuna, sampler: hyperband, trials: 1.5, seeds: 1}
early_terminate: {type: median, eta: 0}
"""
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "space.yaml")
    keys = [fault.key for fault in caught.value.faults]
    assert keys == [
        "data",
        "model.dense.units",
        "model.dense.activation",
        "loss",
        "metrics.1",
        "metric.goal",
        "parameters.optimizer.values.1",
        "parameters.learning_rate.min",
        "parameters.epochs.min",
        "parameters.momentun",
        "search.trials",
        "search.seeds",
        "early_terminate.eta",
    ]
    assert [fault.line for fault in caught.value.faults] == [1, 2, 2, 3, 4, 5, 7, 8, 9, 10, 11, 11, 12]


def test_a_fault_of_one_key_does_not_hide_those_of_others(tmp_path: Path) -> None:
    text = """\
data: {csv: nowhere.csv, traget: y}
model: {dense: {units: none, activaton: softmax}}
loss: mse
metrics: [mae]
metric: {name: val_mse, goal: up}
parameters:
  optimizer: {values: [sgd, adamm, adam]}
  momentum: {min: 1.0, max: 0.0, log: 3, foo: 1}
  nesterov: true
  model.unit: 3
search: {sampler: bayesian, trials: 0}
"""
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "space.yaml")
    assert sorted(fault.key for fault in caught.value.faults) == [
        "data.csv",
        "data.target",
        "data.traget",
        "metric.goal",
        "metric.name",
        "model.dense.activaton",
        "model.dense.units",
        "parameters.model.unit",
        "parameters.momentum.foo",
        "parameters.momentum.log",
        "parameters.momentum.min",
        "parameters.nesterov",
        "parameters.optimizer.values.1",
        "search.sampler",
        "search.trials",
    ]


def test_a_fault_shows_control_characters_as_escapes(tmp_path: Path) -> None:
    text = dense(data='data: "\\e[31mred\\r\\n\\u202e"', loss='"\\e[2J": 1')
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "bad\x1b[0m.yaml")
    assert all(char.isprintable() or char == "\n" for char in str(caught.value))
    assert len(str(caught.value).splitlines()) == len(caught.value.faults)


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(dense(data="data: " + "x" * 10_000), path=tmp_path / "space.yaml")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_of_very_many_faults_the_first_are_told(tmp_path: Path) -> None:
    text = with_parameters(*(f"p{index}: 1" for index in range(199)))
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "space.yaml")
    assert len(caught.value.faults) == 101
    assert caught.value.faults[-1].rule == "and 99 more faults"
