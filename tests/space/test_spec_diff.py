"""A spec as flat data: every key that decides what a trial is, and no other."""

import json
from dataclasses import replace

from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.spec_diff import describe_computation, describe_differences, flatten_spec
from keras_sweep.space.sweep_spec import EarlyStopping, EarlyTerminate, SearchSettings, Training
from tests.helpers.factory import MOMENTUM, OPTIMIZER, make_spec


def test_a_spec_is_flat_by_the_keys_of_its_file() -> None:
    spec = make_spec(
        (OPTIMIZER, MOMENTUM, Parameter("model.hidden", Categorical(((), (32,)), (0.25, 0.75)))),
        constants={"epochs": 3},
    )
    assert flatten_spec(spec) == {
        "data": "digits",
        "model": "dense",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "metric.name": "val_accuracy",
        "metric.goal": "maximize",
        "search.seed": 42,
        "search.generation": 0,
        "epochs.take": "last",
        "split.validation": 0.2,
        "split.test": 0.2,
        "split.seed": 42,
        "split.stratify": False,
        "split.folds": 0,
        **{f"model.{name}": value for name, value in spec.model.arguments.items()},
        "parameters.epochs": 3,
        "parameters.optimizer.values": ["sgd", "rmsprop", "adam"],
        "parameters.momentum.min": 0.0,
        "parameters.momentum.max": 0.9,
        "parameters.momentum.log": False,
        "parameters.momentum.q": None,
        "parameters.momentum.when.optimizer": ["sgd"],
        "parameters.model.hidden.values": [[], [32]],
        "parameters.model.hidden.probabilities": [0.25, 0.75],
    }


def test_what_a_file_says_beside_is_there_where_it_says_it() -> None:
    more = make_spec(
        take_best=True,
        search=SearchSettings(start=[{"epochs": 2}], learn_from="earlier", generation=4),
        training=Training(early_stopping=EarlyStopping(patience=2), class_weight={0: 2.0}),
        early_terminate=EarlyTerminate("halving", 2, 2, first=8),
        loss_arguments={"gamma": 2.0},
        metric_arguments={"f1": {"average": "macro"}},
    )
    more = replace(more, space=replace(more.space, where=("epochs > 1",)))
    added = {key: value for key, value in flatten_spec(more).items() if key not in flatten_spec(make_spec())}
    assert {key: value for key, value in added.items() if not key.startswith("training.early_stopping")} == {
        "search.start": [{"epochs": 2}],
        "search.learn_from": "earlier",
        "loss.gamma": 2.0,
        "metrics.f1.average": "macro",
        "training.class_weight.0": 2.0,
        "where": ["epochs > 1"],
        "early_terminate.type": "halving",
        "early_terminate.min_iter": 2,
        "early_terminate.eta": 2,
        "early_terminate.first": 8,
    }
    assert added["training.early_stopping.patience"] == 2
    assert flatten_spec(more)["epochs.take"] == "best"
    json.dumps(flatten_spec(more))


def test_what_a_model_compiles_itself_with_is_no_part_of_the_file() -> None:
    flat = flatten_spec(make_spec(own=("loss", "metrics"), loss_arguments={"a": 1}, metric_arguments={"f1": {"b": 1}}))
    assert (flat["loss"], flat["metrics"]) == ("the model's own", [])
    assert {"loss.a", "metrics.f1.b"}.isdisjoint(flat)


def test_data_are_told_by_their_file_and_what_is_read_of_it() -> None:
    data = DataSpec("csv", "/somewhere/plants.csv", "species", weights="w", transform="log")
    assert flatten_spec(make_spec(data=data))["data"] == "csv plants.csv, target species, transform log, weights w"
    assert flatten_spec(make_spec(data=DataSpec("npz", "/x/a.npz")))["data"] == "npz a.npz"
    assert flatten_spec(make_spec(data=DataSpec("python", "mine:rows")))["data"] == "mine:rows"


def test_differences_are_told_in_the_words_of_a_file() -> None:
    old = {"a": 1, "b": 1.0, "c": "x", "gone": True, "same": [1]}
    new = {"a": 1.0, "b": 1.0, "c": "y", "new": None, "same": [1]}
    assert describe_differences(old, new) == [
        "a: 1 -> 1.0",
        "c: x -> y",
        "gone: true -> not set",
        "new: not set -> nothing",
    ]
    assert describe_differences(old, dict(reversed(old.items()))) == []


def test_a_metric_depends_on_what_computes_it() -> None:
    flat = {"loss": "mse", "loss.gamma": 2, "metrics": ["own_loss"], "metrics.f1.average": "macro"}
    assert describe_computation(flat, "val_loss") == " (loss: mse, loss.gamma: 2)"
    assert describe_computation(flat, "val_price_loss") == " (loss: mse, loss.gamma: 2)"
    assert describe_computation(flat, "f1") == " (metrics.f1.average: macro)"
    assert describe_computation(flat, "val_own_loss") == describe_computation(flat, "val_accuracy") == ""
