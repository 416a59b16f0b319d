"""Who may be given as workers."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.training.workers.workers import workers_of


def test_processes_that_would_stand_still_are_refused() -> None:
    with ProcessPoolExecutor(1, get_context("fork")) as pool, pytest.raises(UsageError, match="forked from this one"):
        workers_of(pool)
