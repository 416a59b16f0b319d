"""What the environment can't do ends a command before a trial is recorded, with its reason and what to unset."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_sweep.process.environment import check_environment
from keras_sweep.process.xla_options import QUICK, _known, on_cpu
from tests.helpers.command import sweep
from tests.helpers.space_texts import DIGITS

REASONS = {
    "JAX_PLATFORMS=cuda": "error: jax can't run a tiny program here",
    "JAX_DEFAULT_PRNG_IMPL=rbg": "TypeError: JAX encountered invalid PRNG key data",
    "JAX_DISABLE_JIT=1": "ValueError: Disable jit is not supported",
    "XLA_FLAGS=--nonsense": "Unknown flag in XLA_FLAGS: --nonsense",
}


@pytest.mark.parametrize("setting", REASONS)
def test_a_setting_that_jax_can_t_run_with_ends_the_command_and_records_nothing(setting, tmp_path):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    name, _, value = setting.partition("=")
    ended = sweep("run", "digits.yaml", "--quiet", cwd=tmp_path, **{name: value})
    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
    assert REASONS[setting] in ended.err
    assert f"The cause may be {setting}: unset it" in ended.err
    assert not (tmp_path / "sweeps").exists()


def test_a_check_that_trains_sees_the_fault_of_the_environment(tmp_path):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    ended = sweep("check", "digits.yaml", "--probe", cwd=tmp_path, JAX_DEFAULT_PRNG_IMPL="rbg")
    assert ended.code == 1
    assert "no faults" not in ended.out
    assert "The cause may be JAX_DEFAULT_PRNG_IMPL=rbg: unset it" in ended.err


def test_a_flag_that_xla_knows_stops_nothing(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=1")
    check_environment()


def test_the_tiny_program_leaves_the_generators_as_they_were():
    keras.utils.set_random_seed(7)
    expected = np.random.rand()
    keras.utils.set_random_seed(7)
    check_environment()
    assert np.random.rand() == expected


def test_a_compile_option_that_xla_does_not_know_is_done_without():
    known, unknown = ("xla_backend_optimization_level", 0), ("xla_cpu_of_another_year", True)
    assert _known((unknown, known)) == dict([known])
    assert _known((unknown,)) is None
    assert _known(()) is None
    assert on_cpu(QUICK) == dict(QUICK)
