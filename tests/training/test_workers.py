"""Who may be given as workers."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.process.backend import DEFAULTS, versions
from keras_sweep.training.workers.worker import Worker
from keras_sweep.training.workers.workers import workers_of
from tests.helpers.factory import make_spec


def test_processes_that_would_stand_still_are_refused() -> None:
    with ProcessPoolExecutor(1, get_context("fork")) as pool, pytest.raises(UsageError, match="forked from this one"):
        workers_of(pool)


def test_a_worker_with_other_settings_that_move_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    worker = Worker(
        make_spec(),
        {},
        is_whole=False,
        fingerprint="",
        backend="jax",
        config=DEFAULTS,
        versions=versions(),
        stop=lambda: False,
        is_alone=True,
    )
    words = "its settings are others than the sweep's: XLA_FLAGS: none -> --xla_cpu_enable_fast_math=true"
    with pytest.raises(UsageError, match=words):
        worker.open()
