"""Sweeps that several files of tests read: each is run once, whatever the workers, and copied by who writes to it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Made = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder of that name as a function fills it, once for all workers: a copy for this one."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, fill: Callable[[Path], object]) -> Path:
        original = shared / f"{name}-original"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # others wait until the first has filled it
            if not original.exists():
                filling = shared / f"{name}-filling"
                filling.mkdir()
                fill(filling)
                filling.rename(original)
        return Path(shutil.copytree(original, tmp_path_factory.mktemp(name), dirs_exist_ok=True))

    return made
