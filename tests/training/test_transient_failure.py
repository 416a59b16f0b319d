"""Which faults are the machine's."""

from __future__ import annotations

import errno

import pytest

from keras_sweep.training.outcome import is_transient


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ENOSPC, "No space left on device"),
        ConnectionResetError(),
        TimeoutError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"),
        RuntimeError("CUDA out of memory."),
        caused(ValueError("x"), MemoryError()),
    ],
)
def test_memory_disk_and_network_may_be_there_again(error: BaseException) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        FileNotFoundError(errno.ENOENT, "no"),
        PermissionError(errno.EACCES, "no"),
        RuntimeError("INVALID_ARGUMENT"),
        caused(ValueError("x"), TypeError()),
    ],
)
def test_a_trials_own_fault_stays(error: BaseException) -> None:
    assert not is_transient(error)
