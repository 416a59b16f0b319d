"""The per-user cache."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.cache import load_array, load_facts, sha256, store_array, store_facts, user_cache


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


def test_gives_an_array_back_as_a_memory_map(cache: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    store_array(user_cache("a"), "x", array)
    held = load_array(user_cache("a"), "x", sha256(array))
    assert isinstance(held, np.memmap) and (held == array).all()
    assert [path.name for path in user_cache("a").iterdir()] == ["x.npy"]


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_array_counts_as_absent(cache: Path, damage: bytes | None) -> None:
    array = np.arange(12, dtype=np.uint8)
    store_array(user_cache("a"), "x", array)
    path = user_cache("a") / "x.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff" if damage is None else damage)
    assert load_array(user_cache("a"), "x", sha256(array)) is None
    assert load_array(user_cache("a"), "absent", sha256(array)) is None


def test_objects_are_never_unpickled(cache: Path) -> None:
    np.save(user_cache("a") / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert load_array(user_cache("a"), "x", "") is None


def test_damaged_facts_count_as_none(cache: Path) -> None:
    store_facts(user_cache("a"), "f", {"k": 1})
    assert load_facts(user_cache("a"), "f") == {"k": 1}
    for text in ("{", "[1]"):
        (user_cache("a") / "f.json").write_text(text)
        assert load_facts(user_cache("a"), "f") == {}
