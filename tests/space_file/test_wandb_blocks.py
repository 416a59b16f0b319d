"""Blocks of W&B sweep files mean here what they mean there. Source: docs.wandb.ai, "Sweep configuration options"."""

import math

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import EarlyTerminate
from keras_sweep.space_file.sections import SKIPPED_KEYS
from keras_sweep.space_file.yaml_tree import parse_yaml
from tests.helpers.space_texts import DENSE, OURS, WANDB_BLOCK, dense, drawn_from, schema_errors, with_parameters
from tests.helpers.space_texts import spec_of as read


def test_a_pasted_block_keeps_its_meaning() -> None:
    spec = read(OURS + WANDB_BLOCK)
    assert spec.objective == Objective("val_loss", Goal.MINIMIZE)
    assert spec.space.parameters == (
        Parameter("optimizer", Categorical(("adam", "sgd"))),
        Parameter("batch_size", Int(32, 256, log=True)),
        Parameter("learning_rate", Float(0.0001, 0.1)),
        Parameter("model.dropout", Categorical((0.3, 0.4, 0.5))),
        Parameter("model.hidden", Categorical((128, 256, 512))),
        Parameter("weight_decay", Float(math.exp(-10), math.exp(-2), log=True)),
        Parameter("seed", Int(1, 9)),
        Parameter("ema_momentum", Float(0.1, 0.9, step=0.1)),
        Parameter("clipnorm", Categorical((1.0, 2.0), (0.25, 0.75))),
    )
    assert spec.space.constants == {"epochs": 27, "use_ema": True}
    assert spec.early_terminate == EarlyTerminate("hyperband", 3, 3)


def test_keys_of_a_whole_wandb_file_are_passed_over_with_what_they_become() -> None:
    whole = (
        "program: train.py\nmethod: bayes\nrun_cap: 10\nname: n\ndescription: d\ncommand: [a]\nproject: p\nentity: e\n"
    )
    with pytest.raises(SpaceFileError) as caught:
        read(whole + WANDB_BLOCK)
    assert {fault.key for fault in caught.value.faults} == {"data", "model", "loss"}
    warnings = read(whole + OURS + WANDB_BLOCK).warnings
    assert [line.split(": ")[1] for line in warnings if "`sweep` skips this key of W&B; " in line] == [*SKIPPED_KEYS]
    told = dict(line.split(": ", 2)[1:] for line in warnings)
    assert told["method"].endswith("use `search: {sampler: tpe}`")
    assert told["run_cap"].endswith("`search: {trials: 10}`")
    assert "`model: {python: module:function}`" in told["program"]
    assert schema_errors(parse_yaml(whole + OURS + WANDB_BLOCK).plain) == []


@pytest.mark.parametrize(("method", "sampler"), [("grid", "grid"), ("random", "random"), ("[3]", "tpe"), ("", "tpe")])
def test_a_method_of_wandb_names_the_sampler_that_does_the_like(method: str, sampler: str) -> None:
    assert f"`search: {{sampler: {sampler}}}`" in read(f"{DENSE}method: {method}\n").warnings[0]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{distribution: log_uniform_values, min: 1, max: 100}", Float(1.0, 100.0, log=True)),
        ("{distribution: log_uniform, min: 0, max: 1}", Float(1.0, math.e, log=True)),
        ("{distribution: q_log_uniform, min: 0, max: 3}", Int(1, 20, log=True)),
        ("{distribution: q_log_uniform_values, min: 1.5, max: 9.5, q: 1}", Int(2, 9, log=True)),
        ("{distribution: q_uniform, min: 0.25, max: 1.1, q: 0.25}", Float(0.25, 1.0, step=0.25)),
        ("{distribution: log_uniform_values, min: 1, max: 100, log: true}", Float(1.0, 100.0, log=True)),
    ],
)
def test_a_distribution_of_wandb_is_one_of_ours(block: str, expected: object) -> None:
    assert drawn_from(read(with_parameters(f"learning_rate: {block}")), "learning_rate") == expected


def test_exponents_that_look_like_values_are_a_warning() -> None:
    spec = read(dense(learning_rate="  learning_rate: {distribution: log_uniform, min: 0.0001, max: 0.1}"))
    assert "takes exponents, so values are from 1.0001 to 1.10517" in spec.warnings[0]
