"""A registry: names without imports, members when they are used, a clear word where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.space.registry import Registry


@pytest.fixture
def registry() -> Registry[object]:
    return Registry(
        "a sampler", "keras_sweep.nobody_has_these", {"own": 7, "lazy": "json:dumps", "gone": "json:nothing"}
    )


def test_members_are_found_by_name_in_the_order_in_which_they_were_registered(registry: Registry[object]) -> None:
    import json

    registry.register("mine", 8)
    assert list(registry) == ["own", "lazy", "gone", "mine"] and len(registry) == 4
    assert (registry["own"], registry["lazy"], registry.find("mine")) == (7, json.dumps, 8)


def test_an_unknown_name_is_told_the_nearest_or_all(registry: Registry[object]) -> None:
    with pytest.raises(UsageError, match=r"there is no sampler 'lazi'\. Did you mean `lazy`\?"):
        registry.find("lazi")
    with pytest.raises(UsageError, match=r"there is no sampler 'xyz'\. There are own, lazy, gone"):
        registry.find("xyz")


def test_a_name_that_is_taken_stays_what_it_is(registry: Registry[object]) -> None:
    with pytest.raises(ValueError, match="a sampler named 'own' is there already"):
        registry.register("own", 8)


def test_other_packages_are_looked_at_for_a_name_that_is_not_known_and_imported_for_a_member(tmp_path: Path) -> None:
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[toys]\nown = their_module:other\nnew = their_module:member\n")
    (tmp_path / "their_module.py").write_text("member, other = 'theirs', 'not ours'\n")
    code = """
import sys
from keras_sweep.space.registry import Registry
registry = Registry("a toy", "toys", {"own": 7})
assert next(iter(registry)) == "own" and registry["own"] == 7 and "own" in registry
assert "importlib.metadata" not in sys.modules
assert "new" in registry and list(registry) == ["own", "new"] and len(registry) == 2
assert "their_module" not in sys.modules
assert registry["new"] == "theirs" and registry["own"] == 7
"""
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r})\n{code}"], check=True)
