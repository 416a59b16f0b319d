"""The per-user cache."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from keras_sweep.files.cache import user_cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_is_for_the_user_alone(cache: Path) -> None:
    folder = user_cache("a", "b")
    assert folder == cache / "a" / "b"
    assert [mode(each) for each in (cache, cache / "a", folder)] == [0o700] * 3


@pytest.mark.parametrize("shared", [0o755, 0o1777])
def test_a_folder_that_was_there_before_keeps_its_mode(cache: Path, shared: int) -> None:
    cache.mkdir()
    cache.chmod(shared)
    folder = user_cache("a")
    assert (mode(cache), mode(folder)) == (shared, 0o700)


def test_nothing_is_kept_where_others_may_write(cache: Path, tmp_path: Path) -> None:
    user_cache("a").chmod(0o777)
    with pytest.raises(PermissionError, match="others may write to it"):
        user_cache("a", "b")
    assert mode(cache / "a") == 0o777
    (tmp_path / "mine").mkdir(mode=0o755)
    (cache / "linked").symlink_to(tmp_path / "mine")
    with pytest.raises(NotADirectoryError):
        user_cache("linked")
    assert mode(tmp_path / "mine") == 0o755
