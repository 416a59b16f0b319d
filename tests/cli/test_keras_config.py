"""Keras's own configuration, of keras.json or set by code, belongs to a sweep as its seed does."""

import json
from pathlib import Path

import pytest

from tests.helpers.command import python, sweep

OTHER = {"floatx": "float32", "epsilon": 0.01, "image_data_format": "channels_first"}


@pytest.fixture
def keras_home(tmp_path: Path) -> str:
    """A folder whose keras.json is not Keras's own."""
    (tmp_path / "keras.json").write_text(json.dumps(OTHER))
    return str(tmp_path)


@pytest.mark.soak
def test_a_sweep_does_not_go_on_with_another_configuration_than_it_was_begun_with(finished, keras_home):
    ended = sweep("run", "digits.yaml", "--more", "1", cwd=finished, new=True, KERAS_HOME=keras_home)
    assert ended.code == 2
    place = "(by keras.json, the environment, or code that sets it)"
    assert f"\n  keras.config.epsilon: 1e-07 -> 0.01 {place}\n" in ended.err
    assert f"\n  keras.config.image_data_format: channels_last -> channels_first {place}\n" in ended.err
    assert "`--name digits-2`" in ended.err  # as of a sweep that was begun elsewhere: it is a copy


@pytest.mark.soak
def test_a_sweep_does_not_go_on_with_other_settings_of_jax_and_xla(finished):
    others = {"JAX_ENABLE_X64": "1", "JAX_THREEFRY_PARTITIONABLE": "0", "KERAS_MAX_EPOCHS": "1"}
    flags = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}
    ended = sweep("run", "digits.yaml", "--more", "1", cwd=finished, new=True, **others, **flags)
    assert ended.code == 2
    assert "\n  keras.config.max_epochs: 0 -> 1 (by keras.json, the environment, or code" in ended.err
    assert "\n  jax.config.jax_enable_x64: False -> True (" in ended.err
    assert "\n  jax.config.jax_threefry_partitionable: True -> False (" in ended.err
    assert "\n  XLA_FLAGS: none -> --xla_cpu_enable_fast_math=true (" in ended.err


SET = """
import keras
from keras_sweep.cli.main import main
keras.config.set_epsilon(0.01)
keras.config.set_image_data_format("channels_first")
"""


def test_the_card_says_the_configuration_and_a_model_is_verified_with_it(finished):
    card = json.loads((finished / "sweeps/digits/card.json").read_text())
    former = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}
    assert card["keras_config"] == former
    ended = python(SET + "main(['verify', 'sweeps/digits/best.keras'])", cwd=finished).ok()
    assert "Keras is configured as it was for these trials: keras.config.epsilon: 0.01 -> 1e-07;" in ended.err


def test_a_trial_is_replayed_with_the_configuration_that_it_was_trained_with(finished):
    ended = python(SET + "main(['replay', 'digits', '0'])", cwd=finished).ok()
    assert ended.out.endswith("the numbers are those of the record\n")
    assert "Keras is configured as it was for these trials: keras.config.epsilon: 0.01 -> 1e-07;" in ended.err


PROGRAM = """
import warnings, keras, keras_sweep as ks
spec = ks.Spec(data="digits", model={"dense": {"units": 10, "activation": "softmax"}}, metrics=["accuracy"],
    loss="sparse_categorical_crossentropy", maximize="val_accuracy", parameters={"learning_rate": ks.Float(0.1, 1.0),
    "optimizer": "sgd", "epochs": 1}, search=ks.Optuna("random", trials=2, seed=1), finalists="none")
keras.config.set_epsilon(0.001)
sweep = ks.run(spec, name="own", trials=1)
assert ks.run(spec, name="own", trials=2).best.value is not None
keras.config.set_epsilon(0.1)
for again in (lambda: ks.run(spec, name="own", trials=2), lambda: ks.run(spec, name="own", trials=3)):
    try:
        again()
    except ks.UsageError as error:
        assert "keras.config.epsilon: 0.001 -> 0.1" in str(error), error
    else:
        raise AssertionError("it went on")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    model, rows = sweep.load_model(), sweep.validation()
assert [str(one.message) for one in told] == [
    "Keras is configured as it was for these trials: keras.config.epsilon: 0.1 -> 0.001"
]
assert keras.config.epsilon() == 0.001
loss, _ = model.evaluate(rows.x, rows.y, verbose=0)
assert abs(loss - sweep.best.metrics["val_loss"]) < 1e-5
"""


def test_what_a_program_sets_belongs_to_its_sweep_and_comes_back_with_its_model(tmp_path):
    python(PROGRAM, cwd=tmp_path).ok()


def test_a_broken_keras_json_ends_commands_in_one_line(finished, keras_home):
    Path(keras_home, "keras.json").write_text('{"floatx": 1}')
    for words in (
        ["run", "digits.yaml", "--more", "1"],
        ["evaluate", "digits"],
        ["verify", "sweeps/digits/best.keras"],
    ):
        ended = sweep(*words, cwd=finished, new=True, KERAS_HOME=keras_home)
        assert ended.code == 2
        (line,) = [one for one in ended.err.splitlines() if one.startswith("error")]
        assert line.startswith("error: Keras can't be imported: ") and "floatx" in line
        assert "Mend or delete its configuration" in line
