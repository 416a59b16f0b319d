"""Compiled programs are kept for the next process, in a folder that nobody else can write to."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_sweep.process import compiling
from keras_sweep.process.compiling import Effort, effort, enable_compile_cache, is_known_option, use_fast_initializers
from tests.helpers.command import python
from tests.helpers.ran import ran_as
from tests.helpers.records import ROOT
from tests.helpers.whole_spaces import PLAIN

COMPILE = """\
import jax
from keras_sweep.process.compiling import enable_compile_cache
before = jax.config.jax_compilation_cache_dir
enable_compile_cache()
print(None if before else jax.config.jax_compilation_cache_dir)
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
"""


def kept(folder: Path) -> tuple[str, int]:
    """What a process says that keeps its programs in a folder of this cache, and how many files lie there then."""
    done = python(COMPILE, cwd=ROOT, SWEEP_CACHE_DIR=str(folder.parent)).ok()
    return done.out.strip(), len(list(folder.rglob("*"))) if folder.exists() else 0


def test_programs_are_kept_where_the_user_alone_can_write(tmp_path: Path) -> None:
    said, files = kept(tmp_path / "compiled")
    assert said == str(tmp_path / "compiled")
    assert files > 0
    assert (tmp_path / "compiled").stat().st_mode & 0o777 == 0o700
    assert kept(tmp_path / "compiled") == (said, files)  # the second process compiles nothing new


@pytest.mark.posix
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open" / "compiled").mkdir(parents=True)
    (tmp_path / "open" / "compiled").chmod(0o777)
    assert kept(tmp_path / "open" / "compiled") == ("None", 0)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "compiled").symlink_to(tmp_path / "private", target_is_directory=True)
    assert kept(tmp_path / "link" / "compiled") == ("None", 0)


def test_a_cache_of_the_users_own_is_left_as_it_is(tmp_path: Path) -> None:
    own = f"import jax\njax.config.update('jax_compilation_cache_dir', {str(tmp_path / 'theirs')!r})\n"
    assert python(own + COMPILE, cwd=ROOT, SWEEP_CACHE_DIR=str(tmp_path)).ok().out == "None\n"
    assert not (tmp_path / "compiled").exists()


@pytest.mark.soak
@pytest.mark.parametrize(
    "look",
    [["evaluate", "plain"], ["verify", "sweeps/plain/best.keras"]],
)
def test_commands_that_look_at_a_model_keep_its_programs_too(ran: Path, tmp_path: Path, look: list[str]) -> None:
    code = "import sys; from keras_sweep.cli.main import main; main(sys.argv[1:])"
    python(code, *look, cwd=ran, XDG_CACHE_HOME=str(tmp_path)).ok()
    assert list((tmp_path / "keras-sweep" / "compiled").iterdir())


def test_a_compile_option_that_xla_does_not_know_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "is_known_option", lambda name, value: name == "xla_backend_optimization_level")
    assert Effort.LOW.options == {"xla_backend_optimization_level": 0}
    assert not is_known_option("xla_cpu_of_another_year", True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    ran_as(folder, "plain", PLAIN, trials=1)
    return folder


def test_programs_of_little_work_are_compiled_with_less_effort() -> None:
    asked = {4e6: Effort.LOW, 4.1e6: Effort.MEDIUM, 1e8: Effort.MEDIUM, 1.1e8: Effort.FULL}
    assert {numbers: effort(numbers) for numbers in asked} == asked
    assert [(one.options or {}).get("xla_backend_optimization_level") for one in Effort] == [0, 1, None]


def test_only_a_cpu_is_told_how_much_effort_a_program_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert Effort.LOW.options is None


def test_on_another_backend_than_jax_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    monkeypatch.setattr(compiling, "user_cache", pytest.fail)
    enable_compile_cache()


def built(*, fast: bool) -> tuple[list[Any], str]:
    """The initial weights of a model and its optimizer, and the model's configuration as a file has it."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    layers = keras.layers
    drawn_in_order = keras.initializers.GlorotNormal(seed=keras.random.SeedGenerator(1))
    with use_fast_initializers() if fast else nullcontext():
        inputs = layers.Input((6,))
        x = layers.Embedding(9, 8)(inputs)
        x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x + layers.MultiHeadAttention(2, 4)(x, x))
        x = layers.Conv1D(3, 2, kernel_initializer="he_normal")(x)
        x = layers.Dense(5, kernel_initializer=drawn_in_order)(x)
        model = keras.Model(inputs, layers.Dense(2, kernel_initializer="lecun_normal")(x))
        model.compile("adam")
        model.optimizer.build(model.trainable_variables)
    return [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)], model.to_json()


def test_initial_weights_of_less_effort_are_equal_to_the_bit_and_saved_as_those_of_keras() -> None:
    (weights, config), (expected, expected_config) = built(fast=True), built(fast=False)
    assert len(weights) == len(expected) and all(map(np.array_equal, weights, expected))
    assert config == expected_config


def test_objects_of_the_users_are_known_where_initializers_are_fast() -> None:
    class Mine(keras.initializers.Zeros):
        pass

    with keras.saving.custom_object_scope({"mine": Mine, "zeros": Mine}), use_fast_initializers():
        assert type(keras.initializers.get("mine")) is type(keras.initializers.get("zeros")) is Mine
    assert type(keras.initializers.get("zeros")) is keras.initializers.Zeros
