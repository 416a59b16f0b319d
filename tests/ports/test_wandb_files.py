"""W&B sweep files as people write them: `sweep init --wandb FILE SOURCE` makes of each a space file.

Their texts are ours, of the kinds that docs.wandb.ai and tutorials show.
"""

from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.init import write_space_file
from tests.helpers.ran import ran_as

BAYES_WITH_HYPERBAND = """\
program: train.py
name: dropout-and-rate
method: bayes
metric:
  name: val/acc
  goal: maximize
parameters:
  lr:
    min: 0.0001
    max: 0.1
  dropout:
    values: [0.2, 0.3]
  units:
    values: [16, 32]
  epochs:
    value: 4
early_terminate:
  type: hyperband
  max_iter: 27
  s: 2
  strict: true
"""
RANDOM_WITH_DISTRIBUTIONS = """\
method: random
metric: {goal: minimize, name: loss}
run_cap: 12
parameters:
  batch_size:
    distribution: q_log_uniform_values
    max: 256
    min: 32
    q: 8
  dropout: {values: [0.3, 0.4, 0.5]}
  epochs: {value: 1}
  fc_layer_size: {values: [16, 24, 32]}
  learning_rate: {distribution: uniform, max: 0.1, min: 0}
  optimizer: {values: [adam, sgd, adabound]}
  augment_strength: {distribution: normal, mu: 0.5, sigma: 0.1}
"""
NESTED = """\
method: random
metric: {name: epoch/val_loss, goal: minimize}
parameters:
  optimizer:
    parameters:
      name: {values: [SGD, Adam]}
      learning_rate: {distribution: log_uniform_values, min: 1e-3, max: 1e-1}
      momentum: {min: 0.0, max: 0.9}
  model:
    parameters:
      activation: {values: [relu, tanh]}
      dropout: {distribution: uniform, min: 0.0, max: 0.5}
      kernel_size: {values: [3, 5]}
  num_epochs: {value: 2}
"""


def written(folder: Path, text: str, source: str = "digits") -> tuple[SweepSpec, list[str]]:
    """What is read of the space file for a source, and what was said of it."""
    (folder / "wandb.yaml").write_text(text)
    notes: list[str] = []
    write_space_file(source, folder / "it.yaml", notes, target=None, wandb=folder / "wandb.yaml")
    return read_space_file(folder / "it.yaml"), notes


def test_bayes_with_hyperband(tmp_path: Path) -> None:
    spec, said = written(tmp_path, BAYES_WITH_HYPERBAND)
    notes, text = "\n".join(said), (tmp_path / "it.yaml").read_text()
    assert all(f"# {note}.\n" in text for note in said)
    sweep = ran_as(tmp_path, "it", text, trials=2, set={"finalists": "none"})
    assert {trial.state for trial in sweep.leaderboard()} <= {"COMPLETE", "PRUNED"}
    assert (spec.search.engine_name, spec.search.trials) == ("optuna/tpe", 32)
    assert spec.objective == Objective("val_accuracy", Goal.MAXIMIZE)
    assert spec.space.parameters == (
        Parameter("learning_rate", Float(1e-4, 0.1)),
        Parameter("model.dropout", Categorical((0.2, 0.3))),
        Parameter("model.hidden", Categorical((16, 32))),
    )
    assert spec.space.constants == {"epochs": 4, "optimizer": "adam"}
    assert spec.early_terminate == EarlyTerminate("hyperband", 3, 3)  # of brackets at 27 / 3 and 27 / 9
    assert "`sweep` skips `program`; use `model:" in notes
    assert "`units` is `model.hidden` here" in notes
    assert "`early_terminate.max_iter` and `s` are `min_iter: 3` here" in notes
    assert "`sweep` skips `early_terminate.strict`; " in notes


def test_random_with_distributions(tmp_path: Path) -> None:
    spec, said = written(tmp_path, RANDOM_WITH_DISTRIBUTIONS)
    notes = "\n".join(said)
    assert (spec.search.sampler, spec.search.trials) == ("random", 12)
    assert spec.objective == Objective("val_loss", Goal.MINIMIZE)
    assert {one.name: one.distribution for one in spec.space.parameters} == {
        "batch_size": Int(32, 256, log=True),
        "model.dropout": Categorical((0.3, 0.4, 0.5)),
        "model.hidden": Categorical((16, 24, 32)),
        "learning_rate": Float(1e-5, 0.1),
        "optimizer": Categorical(("adam", "sgd")),
    }
    assert "`batch_size` has no `q` here" in notes
    assert "`learning_rate` begins at 1e-5 here" in notes
    assert "Keras has no optimizer 'adabound'" in notes
    assert "`sweep` skips `model.augment_strength`: must be a supported distribution" in notes


def test_nested_parameters(tmp_path: Path) -> None:
    spec, said = written(tmp_path, NESTED)
    notes = "\n".join(said)
    assert spec.space.parameters == (
        Parameter("optimizer", Categorical(("sgd", "adam"))),
        Parameter("learning_rate", Float(1e-3, 1e-1, log=True)),
        Parameter("momentum", Float(0.0, 0.9), (Condition("optimizer", ("sgd",)),)),
        Parameter("model.hidden_activation", Categorical(("relu", "tanh"))),
        Parameter("model.dropout", Float(0.0, 0.5)),
    )
    assert spec.space.constants == {"epochs": 2}
    own_model = "`kernel_size` needs your own model, {python: module:function}, and the parameter "
    assert f"{own_model}`model.kernel_size: {{values: [3, 5]}}`" in notes
    assert "`activation` is `model.hidden_activation` here" in notes


WHOLE = """\
metric: {name: val_acc, goal: maximize, target: 0.9}
parameters:
  epochs: {values: [5.0, 10.0]}
  batch_size: {value: 32.0}
  units: {min: 16.0, max: 64.0}
early_terminate: {type: hyperband, min_iter: 2, s: 3}
"""


def test_a_target_ends_the_search_and_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    spec, notes = written(tmp_path, WHOLE)
    assert spec.search.stop is not None and spec.search.stop.value == 0.9
    assert spec.space.parameters == (
        Parameter("epochs", Categorical((5, 10))),
        Parameter("model.hidden", Int(16, 64)),
    )
    assert spec.space.constants == {"optimizer": "adam", "batch_size": 32}
    assert spec.early_terminate == EarlyTerminate("hyperband", 2, 3)
    assert notes == [
        "`units` is `model.hidden` here",
        "`metric.target` is `search.stop.value` here",
        "`sweep` skips `early_terminate.s`; use `min_iter` and `eta`",
    ]


@pytest.mark.parametrize(
    ("metric", "loss", "metrics"),
    [
        ("{name: val_mape, goal: minimize}", "mean_squared_error", ("mae", "mape")),
        ("{name: val_mae, goal: minimize}", "mean_squared_error", ("mae",)),
        ("{name: val_loss, goal: minimize}", "sparse_categorical_crossentropy", ("accuracy",)),
        ("{name: acc, goal: maximize}", "sparse_categorical_crossentropy", ("accuracy",)),
    ],
)
def test_a_metric_of_numbers_says_what_whole_numbers_are(
    tmp_path: Path, metric: str, loss: str, metrics: tuple[str, ...]
) -> None:
    lines = "\n".join(f"{row % 17},{row % 5}.0" for row in range(100))
    (tmp_path / "it.csv").write_text(f"width,price\n{lines}\n")
    spec, _ = written(tmp_path, f"metric: {metric}\nparameters: {{lr: 0.1}}", str(tmp_path / "it.csv"))
    assert (spec.loss, spec.metrics) == (loss, metrics)


def test_a_fault_is_one_of_the_file_that_is_there(tmp_path: Path) -> None:
    metric, rest = "metric: {name: acc, goal: max, target: high}", "parameters: {lr: 0.1}\nearly_terminate: {type: foo}"
    text = f"run_cap: 0\n{metric}\n{rest}\n"
    with pytest.raises(ks.UsageError) as error:
        written(tmp_path, text)
    file = tmp_path / "wandb.yaml"
    assert [line.partition(": must be ")[0] for line in str(error.value).splitlines()] == [
        f"{file}:2: metric.goal",
        f"{file}:4: early_terminate.type",
        f"{file}:1: run_cap",
        f"{file}:2: metric.target",
    ]
    assert not (tmp_path / "it.yaml").exists()


@pytest.mark.parametrize(
    ("text", "rule"), [("[1]", "not a W&B sweep file"), ("method: grid", "no map `parameters`"), ("a: [", "YAML")]
)
def test_a_file_that_is_none_is_an_error(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "wandb.yaml").write_text(text)
    with pytest.raises(ks.UsageError, match=rule):
        write_space_file("digits", tmp_path / "digits.yaml", [], target=None, wandb=tmp_path / "wandb.yaml")
    assert not (tmp_path / "digits.yaml").exists()
