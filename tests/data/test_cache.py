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


def test_is_for_the_user_alone(cache: Path) -> None:
    cache.mkdir(mode=0o755)
    folder = user_cache("a", "b")
    assert folder == cache / "a" / "b"
    for each in (cache, cache / "a", folder):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700


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
