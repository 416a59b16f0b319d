"""The command's options change the file before it is checked, and the text of the spec says so."""

from dataclasses import replace
from typing import Any

import pytest

from keras_sweep.errors import SpaceFileError, UsageError
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.sweep_spec import SearchSettings, SweepSpec
from keras_sweep.space_file.options import parse_point
from tests.helpers.space_texts import DENSE, dense, drawn_from, spec_of, with_parameters

COMMENTED = "# the main job\n" + DENSE.replace("epochs: {min: 1, max: 20}", "epochs: {min: 1, max: 20}  # not many")


def read(*sets: str, text: str = COMMENTED, **overrides: Any) -> SweepSpec:
    """The spec, after a check that its text reads back to it."""
    spec = spec_of(text, sets=sets, **overrides)
    assert replace(spec_of(spec.text), warnings=()) == replace(spec, warnings=())
    return spec


def test_without_options_the_text_is_the_file() -> None:
    assert read().text == COMMENTED


@pytest.mark.parametrize(
    ("change", "name", "drawn"),
    [
        ("learning_rate.max=0.1", "learning_rate", Float(1e-4, 0.1, log=True)),
        ("parameters.learning_rate.max=0.1", "learning_rate", Float(1e-4, 0.1, log=True)),
        ("optimizer.values=[sgd, adam]", "optimizer", Categorical(("sgd", "adam"))),
        ("batch_size={values: [32, 64]}", "batch_size", Categorical((32, 64))),
        ("model.dropout.max=0.25", "model.dropout", Float(0.0, 0.25)),
        ("parameters.model.dropout.max=0.25", "model.dropout", Float(0.0, 0.25)),
        ("model.hidden.values=[8, 16]", "model.hidden", Categorical((8, 16))),
    ],
)
def test_a_key_of_a_parameter_is_set(change: str, name: str, drawn: object) -> None:
    text = COMMENTED.replace("parameters:\n", "parameters:\n  model.dropout: {min: 0.0, max: 0.5}\n")
    assert drawn_from(read(change, text=text), name) == drawn


def test_the_last_of_two_wins_and_the_text_says_so() -> None:
    spec = read("epochs.max=5", "epochs.max=7", "learning_rate=1e-2", "model.l2=0.5")
    assert drawn_from(spec, "epochs") == Int(1, 7) and "max: 7" in spec.text
    assert spec.space.constants == {"learning_rate": 1e-2, "model.l2": 0.5}


def test_other_sections_are_set_by_their_path() -> None:
    sets = "model.dense.units=20 data=digits split.test=0.1 search.trials=7 metrics=[acc] metric.name=val_acc"
    spec = read(*sets.split())
    assert spec.model.arguments["units"] == 20
    assert (spec.data.source, spec.data.split.test) == ("digits", 0.1)
    assert spec.search.trials == 7
    assert spec.objective.name == "val_acc"


def test_options_stand_above_the_file() -> None:
    assert read(sampler="random", trials=3, seed=0).search == SearchSettings("optuna", "random", 3, 0)
    assert read(text=dense(search=""), trials=3).search == SearchSettings(trials=3)


def test_another_engine_takes_its_own_sampler() -> None:
    assert read(engine="keras-tuner").search.sampler == "random"
    assert read(engine="keras-tuner", sampler="bayesian").search.sampler == "bayesian"
    assert read(text=DENSE.replace("tpe", "random"), engine="keras-tuner").search.sampler == "random"
    with pytest.raises(SpaceFileError, match=r"search.sampler \(from --sampler tpe\): must be one of random, bayesian"):
        read(engine="keras-tuner", sampler="tpe")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("learning_rate", "must be KEY=VALUE"),
        ("learnin_rate.max=1", "there is no parameter 'learnin_rate' (did you mean `learning_rate`?)"),
        ("learning_rate.maxx=1", "this key is not allowed here (did you mean `max`?)"),
        ("learning_rate..max=1", "a key must not have an empty part, but got 'learning_rate..max'"),
        ("epochs.max.x=1", "`max` is 20, which has no keys"),
        ("epochs.max=[", "the value can't be read: not valid YAML"),
        ("epochs.max=1\nb: 2", "the value must be a single YAML value"),
        ("epochs.max=!!python/name:os.system x", "tags must be left out"),
        ("epochs.max=0", "`min` must be at most `max`, but got (min=1, max=0)"),
        ("early_terminate.type=median", "the file has no `early_terminate`"),
        ("model.units.max=20", "a parameter needs `min` and `max`"),
        ("parameters=3", "must be a map of parameters, but got 3"),
    ],
)
def test_a_fault_of_an_option_names_the_option(option: str, words: str) -> None:
    with pytest.raises(SpaceFileError) as caught:
        read(option)
    assert words in str(caught.value)
    (fault,) = caught.value.faults
    shown = f"--set {option}".replace("\n", "\\n")
    assert shown in fault.key or fault.line == 11, fault  # a fault between two keys may be told at the other
    assert fault.line is None or shown not in fault.key


def test_faults_of_file_and_options_are_told_together() -> None:
    with pytest.raises(SpaceFileError) as caught:
        read("epochs.max=0", "foo", text=dense(loss="loss: msee"), trials=0)
    assert len(caught.value.faults) == 4


def test_setting_a_key_of_an_alias_changes_that_place_alone() -> None:
    text = with_parameters("momentum: &m {min: 0.0, max: 0.9}", "ema_momentum: *m")
    spec = read("ema_momentum.max=0.5", text=text)
    assert drawn_from(spec, "momentum") == Float(0.0, 0.9)
    assert drawn_from(spec, "ema_momentum") == Float(0.0, 0.5)


@pytest.mark.parametrize(
    "text", ["", "optimizer", "optimizer=adam epochs", "optimizer='adam", "epochs=1 epochs=2", "model.hidden=[32, 16]"]
)
def test_a_point_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"`--add` must have KEY=VALUE without spaces for each parameter, but got"):
        parse_point(text)


def test_a_point_has_a_value_a_name() -> None:
    assert parse_point("epochs=3 model.hidden=[32,16]") == {"epochs": 3, "model.hidden": (32, 16)}
