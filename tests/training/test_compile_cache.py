"""Compiled programs are kept for the next process, in a folder that nobody else can write to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMPILE = """\
import sys
from pathlib import Path
import jax
from keras_sweep.training.compile_cache import enable_compile_cache
print(enable_compile_cache(Path(sys.argv[1])))
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
"""


def kept(folder: Path, **environment: str) -> tuple[str, int]:
    """What a process says that keeps its programs in a folder, and how many files lie there then."""
    command = [sys.executable, "-c", COMPILE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return done.stdout.strip(), len(list(folder.rglob("*"))) if folder.exists() else 0


def test_programs_are_kept_where_the_user_alone_can_write(tmp_path: Path) -> None:
    said, files = kept(tmp_path / "compiled")
    assert said == str(tmp_path / "compiled")
    assert files > 0
    assert (tmp_path / "compiled").stat().st_mode & 0o777 == 0o700
    assert kept(tmp_path / "compiled") == (said, files)  # the second process compiles nothing new


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert kept(tmp_path / "open") == ("None", 0)
    (tmp_path / "link").symlink_to(tmp_path / "private", target_is_directory=True)
    assert kept(tmp_path / "link") == ("None", 0)


def test_a_cache_of_the_users_own_is_left_as_it_is(tmp_path: Path) -> None:
    said, files = kept(tmp_path / "compiled", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"))
    assert (said, files) == ("None", 0)
