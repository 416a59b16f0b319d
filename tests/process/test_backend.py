"""What the environment can't do ends a command before a trial is recorded, and nobody imports a backend not used."""

import gc
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import jax
import keras
import numpy as np
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.process.backend import (
    DEFAULTS,
    JAX_DEFAULTS,
    check_environment,
    collect_only_new_garbage,
    describe_config_changes,
    keras_config,
    use_keras_config,
)
from tests.helpers.command import python, sweep
from tests.helpers.space_texts import DIGITS, small


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        # In short those of other commands below.
        pytest.param("JAX_PLATFORMS=cuda", "error: jax can't run a small test program", marks=pytest.mark.soak),
        pytest.param("JAX_DEFAULT_PRNG_IMPL=rbg", "TypeError: JAX encountered invalid", marks=pytest.mark.soak),
        pytest.param("JAX_DISABLE_JIT=1", "ValueError: Disable jit is not supported", marks=pytest.mark.soak),
        ("XLA_FLAGS=--nonsense", "Unknown flag in XLA_FLAGS: --nonsense"),
    ],
)
def test_a_setting_that_jax_can_t_run_with_ends_the_command_and_records_nothing(setting, reason, tmp_path):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    name, _, value = setting.partition("=")
    ended = sweep("run", "digits.yaml", "--quiet", cwd=tmp_path, new=name != "XLA_FLAGS", **{name: value})
    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
    assert reason in ended.err
    assert f"Try to unset {setting}" in ended.err
    assert not (tmp_path / "sweeps").exists()


SET = """
import jax
from keras_sweep.cli.main import main
jax.config.update(%r, %r)  # as JAX reads the variable when it is imported
"""
THREE = """
for words in (["replay", "digits", "0"], ["evaluate", "digits"], ["verify", "sweeps/digits/best.keras"]):
    try:
        main(words)
    except SystemExit as end:
        assert end.code == 1
"""


def test_what_only_computes_ends_with_the_reason_too(tmp_path):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    sweep("run", "digits.yaml", "--trials", "1", "--quiet", cwd=tmp_path).ok()
    ended = python(SET % ("jax_platforms", "cuda") + THREE, cwd=tmp_path, JAX_PLATFORMS="cuda").ok()
    assert ended.out == ""
    assert ended.err.count("Try to unset JAX_PLATFORMS=cuda") == 3


def test_a_flag_that_xla_knows_stops_nothing(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=1")
    check_environment.cache_clear()
    check_environment()


def test_the_tiny_program_leaves_the_generators_as_they_were():
    keras.utils.set_random_seed(7)
    expected = np.random.rand()
    keras.utils.set_random_seed(7)
    check_environment.cache_clear()
    check_environment()
    assert np.random.rand() == expected


FORKED = """
import os, sys
from keras_sweep.errors import UsageError
from keras_sweep.process import backend
if sys.argv[1] == "computed":
    backend.check_environment()
if (child := os.fork()) == 0:
    backend.FORKED_SECONDS = 1.0 if sys.argv[1] == "computed" else 600.0
    try:
        backend.check_environment()
    except UsageError as error:
        print(error.message, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.posix
@pytest.mark.parametrize(
    ("parent", "said"),
    [
        ("idle", ""),
        ("computed", "jax can't compute in this forked process, because its parent computed before the fork"),
    ],
)
def test_a_forked_process_that_would_stand_still_says_so(parent: str, said: str, tmp_path: Path):
    assert python(FORKED, parent, cwd=tmp_path).ok().out.strip() == said


SCRIPT = """
import random, sys
import numpy as np
import keras
from keras_sweep.process.backend import without_tensorflow

def drawn():
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    return [random.random(), np.random.rand(), *model.get_weights()[0].ravel(), *np.ravel(keras.random.normal((3,)))]

with without_tensorflow():
    keras.utils.set_random_seed(7)
assert "tensorflow" not in sys.modules
ours = drawn()
keras.utils.set_random_seed(7)
assert "tensorflow" in sys.modules
assert ours == drawn()
with without_tensorflow():
    assert keras.src.utils.module_utils.tensorflow.available
"""


@pytest.mark.soak
def test_seeding_without_tensorflow_draws_the_same_numbers(tmp_path):
    python(SCRIPT, cwd=tmp_path).ok()


RUN = """
import sys
from keras_sweep.cli.main import main
try:
    main(["run", "mine.yaml", "--quiet"])
except SystemExit as end:
    assert not end.code, end.code
assert "tensorflow" not in sys.modules
"""
SPACE = small(
    data="iris",
    model='{python: "mine:build"}',
    parameters="{learning_rate: 0.1, epochs: 1}",
    search="{sampler: random, trials: 1}",
)
BUILD = """
import keras
def build():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
"""


def test_a_sweep_of_a_model_of_ones_own_imports_no_tensorflow_from_its_inspection_to_its_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(SPACE)
    (tmp_path / "mine.py").write_text(BUILD)
    python(RUN, cwd=tmp_path).ok()
    assert (tmp_path / "sweeps" / "mine" / "best.keras").exists()


def test_what_was_there_is_not_looked_at_and_what_is_new_is_collected():
    class Cycle:
        def __init__(self):
            self.itself = self

    before, frozen = weakref.ref(Cycle()), gc.get_freeze_count()
    with collect_only_new_garbage():
        new = weakref.ref(Cycle())
        gc.collect()
        assert (before() is not None, new()) == (True, None)
    gc.collect()
    assert (before(), gc.get_freeze_count()) == (None, frozen)


def test_at_the_end_of_the_process_everything_is_left_as_it_is():
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count()))"
    code += "; from keras_sweep.cli.main import main; main(['--version'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) > 1000


@pytest.fixture
def settings():
    """Keras's and JAX's are as they were once the test ends."""
    before = {name: jax.config.values[name] for name in JAX_DEFAULTS}
    yield
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    for name, value in before.items():
        jax.config.update(name, value)


def test_of_settings_that_move_numbers_those_that_are_not_the_usual_ones_are_told(settings, monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    usual = keras_config()
    assert usual == DEFAULTS
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_threefry_partitionable", False)
    jax.config.update("jax_default_matmul_precision", "float32")
    keras.config.set_max_epochs(2)
    keras.config.set_max_steps_per_epoch(3)
    flags = "--xla_dump_to=/x --xla_cpu_multi_thread_eigen=false --xla_force_host_platform_device_count=2"
    monkeypatch.setenv("XLA_FLAGS", f"{flags} --xla_cpu_enable_fast_math=true --xla_allow_excess_precision=false")
    now = keras_config()
    assert now == DEFAULTS | {
        "max_epochs": 2,
        "max_steps_per_epoch": 3,
        "jax_default_matmul_precision": "float32",
        "jax_enable_x64": True,
        "jax_threefry_partitionable": False,
        "XLA_FLAGS": "--xla_allow_excess_precision=false --xla_cpu_enable_fast_math=true",
    }
    assert json.loads(json.dumps(now)) == now
    assert describe_config_changes(usual, now) == [
        "keras.config.max_epochs: 0 -> 2",
        "keras.config.max_steps_per_epoch: 0 -> 3",
        "jax.config.jax_default_matmul_precision: default -> float32",
        "jax.config.jax_enable_x64: False -> True",
        "jax.config.jax_threefry_partitionable: True -> False",
        f"XLA_FLAGS: none -> {now['XLA_FLAGS'][:60]}",
    ]
    assert describe_config_changes(now, usual)[3] == "jax.config.jax_enable_x64: True -> False"
    assert describe_config_changes({"epsilon": 0.5, "another's": 1}, usual) == ["keras.config.epsilon: 0.5 -> 1e-07"]


def test_jax_s_own_defaults_are_those_that_count_as_usual():
    script = "import jax, json; print(json.dumps({name: jax.config.values[name] for name in json.loads(input())}))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    call = [sys.executable, "-c", script]
    told = subprocess.run(
        call, input=json.dumps([*JAX_DEFAULTS]), env=plain, capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == {**JAX_DEFAULTS, "jax_default_matmul_precision": None}


def test_settings_are_given_back_as_they_were_recorded(settings, monkeypatch):
    jax.config.update("jax_enable_x64", True)
    keras.config.set_max_epochs(2)
    words = use_keras_config(DEFAULTS | {"jax_default_matmul_precision": "float32", "XLA_FLAGS": "--xla_x"})
    assert words == (
        "Keras uses the settings of these trials: keras.config.max_epochs: 2 -> 0; "
        "jax.config.jax_default_matmul_precision: default -> float32; jax.config.jax_enable_x64: True -> False"
    )
    assert keras_config() == DEFAULTS | {"jax_default_matmul_precision": "float32"}
    assert use_keras_config(None) is None
    assert use_keras_config({"jax_default_matmul_precision": "float32", "max_epochs": 5}) == (
        "Keras uses the settings of these trials: keras.config.max_epochs: 0 -> 5"
    )
    assert keras.config.max_epochs() == 5


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("epsilon", "x", "float"), ("max_epochs", "3", "int"), ("jax_enable_x64", "yes", "bool"), ("floatx", 16, "str")],
)
def test_a_recorded_setting_of_another_kind_is_refused(settings, name, value, kind):
    with pytest.raises(RecordError, match=rf"`{name}` is {value!r}, but it must be of type {kind}"):
        use_keras_config(DEFAULTS | {name: value})
    assert keras_config() == DEFAULTS


def test_a_recorded_setting_that_jax_does_not_know_is_refused(settings):
    with pytest.raises(RecordError, match="`jax_default_matmul_precision` is 'finest', but new enum value must be"):
        use_keras_config(DEFAULTS | {"jax_default_matmul_precision": "finest"})
