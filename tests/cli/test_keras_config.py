"""Keras's own configuration, of keras.json or set by code, belongs to a sweep as its seed does."""

import json
from pathlib import Path

import pytest

from tests.helpers.command import python, sweep


@pytest.mark.soak
def test_a_sweep_does_not_go_on_with_another_configuration_than_it_was_begun_with(finished: Path, tmp_path: Path):
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float32", "epsilon": 0.01}))
    others = {"JAX_ENABLE_X64": "1", "KERAS_MAX_EPOCHS": "1", "KERAS_HOME": str(tmp_path)}
    flags = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}
    ended = sweep("run", "digits.yaml", "--more", "1", cwd=finished, new=True, **others, **flags)
    assert ended.code == 2
    place = "(by keras.json, the environment, or code that sets it)"
    assert f"\n  keras.config.epsilon: 1e-07 -> 0.01 {place}\n" in ended.err
    assert f"\n  keras.config.max_epochs: 0 -> 1 {place}\n" in ended.err
    assert "\n  jax.config.jax_enable_x64: False -> True (" in ended.err
    assert "\n  XLA_FLAGS: none -> --xla_cpu_enable_fast_math=true (" in ended.err
    assert "`--name digits-2`" in ended.err  # as of a sweep that was begun elsewhere: it is a copy


SET = """
import keras
from keras_sweep.cli.main import main
keras.config.set_epsilon(0.01)
keras.config.set_image_data_format("channels_first")
"""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["verify", "sweeps/digits/best.keras"], "the scores match the card on 288 validation rows\n"),
        (["replay", "digits", "0"], "the numbers match the record\n"),
    ],
)
def test_models_and_trials_are_looked_at_with_the_configuration_of_their_sweep(finished: Path, call, said):
    card = json.loads((finished / "sweeps/digits/card.json").read_text())
    former = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}
    assert card["keras_config"] == former
    ended = python(f"{SET}main({call})", cwd=finished).ok()
    assert ended.out.endswith(said)
    assert "Keras uses the settings of these trials: keras.config.epsilon: 0.01 -> 1e-07;" in ended.err


def test_a_broken_keras_json_ends_a_command_in_one_line(finished: Path, tmp_path: Path):
    (tmp_path / "keras.json").write_text('{"floatx": 1}')
    ended = sweep("evaluate", "digits", cwd=finished, new=True, KERAS_HOME=str(tmp_path))
    assert ended.code == 2
    (line,) = [one for one in ended.err.splitlines() if one.startswith("error")]
    assert line.startswith("error: Keras can't be imported: ") and "floatx" in line
    assert "Fix or delete `keras.json`" in line
