"""A sampler is registered in one place: what stands there can be named, checked and made, and nothing else can."""

from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError, UsageError
from keras_sweep.search.engines import ENGINES, complete_point, make_engine, start_points
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.space_file.sections import make_space_file_schema
from keras_sweep.testing.searching import SMALL, search_spec
from tests.helpers.command import called
from tests.helpers.factory import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec
from tests.helpers.space_texts import dense

MEMBERS = [(engine, sampler) for engine, names in ENGINES.items() for sampler in names]


@pytest.mark.parametrize(("engine", "sampler"), MEMBERS)
def test_every_registered_sampler_can_be_named_in_a_space_file(engine: str, sampler: str) -> None:
    text = dense(search=f"search: {{engine: {engine}, sampler: {sampler}}}")
    read = read_space_file(Path("space.yaml"), text=text)
    assert (read.search.engine, read.search.sampler) == (engine, sampler)
    assert sampler in make_space_file_schema()["$defs"]["SearchSettings"]["properties"]["sampler"]["enum"]


def test_the_help_of_run_names_every_sampler() -> None:
    _, help_text, _ = called(["run", "--help"])
    assert [sampler for _, sampler in MEMBERS if sampler not in help_text] == []


def test_a_name_that_is_not_registered_never_samples() -> None:
    with pytest.raises(UsageError, match=r"there is no engine 'hyperopt'. Choose from optuna, keras-tuner"):
        make_engine(search_spec(SMALL, "hyperopt", "tpe"))
    with pytest.raises(UsageError, match=r"there is no optuna sampler 'smac'. Choose from tpe, random"):
        make_engine(search_spec(SMALL, "optuna", "smac"))
    with pytest.raises(SpaceFileError, match=r"must be one of tpe, random, .* with optuna, but got 'smac'"):
        read_space_file(Path("space.yaml"), text=dense(search="search: {sampler: smac}"))


def test_who_learns_or_stops_trials_is_asked_for_no_more_than_a_generation() -> None:
    pruned = EarlyTerminate("median")
    for asked in (make_spec(), make_spec(sampler="random", early_terminate=pruned)):
        assert make_engine(asked).learns


SGD = SearchSpace((OPTIMIZER, LEARNING_RATE, MOMENTUM), {"epochs": 3})


def started(*start: object, space: SearchSpace = SGD) -> SweepSpec:
    made = search_spec(space, "optuna", "random")
    return replace(made, search=replace(made.search, start=list(start)))


def test_points_to_start_with_are_as_they_are_drawn() -> None:
    points = start_points(started({"learning_rate": 1, "optimizer": "sgd", "momentum": 0}, {"epochs": 3}))
    assert points == [{"learning_rate": 1.0, "optimizer": "sgd", "momentum": 0.0}, {"epochs": 3}]
    assert type(points[0]["learning_rate"]) is float


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"learning_rate": 2.0}, r"search\.start\.1\.learning_rate: must be from 0\.0001 to 1\.0, but got 2\.0"),
        ({"optimizer": "adam", "momentum": 0.5}, r"search\.start\.1\.momentum: exists only in trials with"),
        ({"depth": 1}, r"search\.start\.1\.depth: is not a parameter"),
        ("defaults", "`defaults` needs a KerasTuner model with default values"),
    ],
)
def test_a_point_to_start_with_that_is_none_of_the_space_is_refused(point: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        start_points(started({"epochs": 3}, point))


def test_the_defaults_of_a_model_are_a_point_to_start_with() -> None:
    defaults = (replace(OPTIMIZER, default="sgd"), LEARNING_RATE, replace(MOMENTUM, default=0.5))
    space = SearchSpace(defaults, {"epochs": 3})
    assert start_points(started("defaults", space=space)) == [{"optimizer": "sgd", "momentum": 0.5}]


def test_a_point_to_add_is_whole_with_what_it_leaves_out_from_another() -> None:
    like = {"optimizer": "sgd", "learning_rate": 0.5, "momentum": 0.25, "epochs": 3}
    assert complete_point(started(), {"learning_rate": 0.1}, like) == {**like, "learning_rate": 0.1}
    adam = complete_point(started(), {"optimizer": "adam"}, like)
    assert adam == {"optimizer": "adam", "learning_rate": 0.5, "epochs": 3}
    assert complete_point(started(), {"optimizer": "adam"}) == {"optimizer": "adam"}
    with pytest.raises(UsageError, match="not in the search space: learning_rate is missing; momentum is missing"):
        complete_point(started(), {"optimizer": "sgd"}, {})
    with pytest.raises(UsageError, match=r"not in the search space: learning_rate must be .*; depth is not"):
        complete_point(started(), {"learning_rate": 3.0, "depth": 1}, like)
    with pytest.raises(UsageError, match="not in the search space: must be from"):
        complete_point(started(), {"optimizer": "adam"}, {"learning_rate": 7.0})


def test_the_engine_begins_with_the_points_to_start_with() -> None:
    engine = make_engine(started({"optimizer": "rmsprop", "learning_rate": 0.25}))
    assert engine.ask(1)[0].params == {"optimizer": "rmsprop", "learning_rate": 0.25, "epochs": 3}
    halving = EarlyTerminate("halving", 1, 2, first=8)  # whose first trials are drawn at random
    halved = make_engine(replace(started({"optimizer": "adam", "learning_rate": 0.5}), early_terminate=halving))
    assert halved.ask(1)[0].params == {"optimizer": "adam", "learning_rate": 0.5, "epochs": 3}
    read = make_spec((OPTIMIZER, LEARNING_RATE, EPOCHS), early_terminate=EarlyTerminate("median"))
    read = replace(read, objective=replace(read.objective, epochs_from=1), search=replace(read.search, start=[START]))
    assert make_engine(read).ask(1)[0].params == {"optimizer": "sgd", "learning_rate": 0.25, "epochs": 4}


START = {"optimizer": "sgd", "learning_rate": 0.25, "epochs": 2}
