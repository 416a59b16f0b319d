"""ARCHITECTURE.md and SECURITY.md lead where they say: every file, test and name that they have is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "keras_sweep"
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
FILES = sorted(set(re.findall(r"`([\w/]+\.py)`", TEXT + (ROOT / "SECURITY.md").read_text())))


def place(file: str) -> Path:
    return ROOT / file if file.startswith("tests/") else PACKAGE / file


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_named_is_there(file: str) -> None:
    assert place(file).is_file()


def test_functions_that_are_named_stand_in_the_file_before_them() -> None:
    named = re.findall(r"`([\w/]+\.py)`,\s+`(\w+)(?:\.(\w+))?`", TEXT)
    assert len(named) >= 8
    for file, name, method in named:
        code = place(file).read_text()
        assert re.search(rf"^(class|def) {name}\b", code, re.MULTILINE), (file, name)
        assert not method or f"def {method}(" in code, (file, method)


def test_private_parts_of_other_packages_are_touched_where_it_says() -> None:
    for row in TEXT.split("## Private parts")[1].splitlines():
        names = re.findall(r"\b(_\w+)`", row)
        code = "".join(place(file).read_text() for file in re.findall(r"`([\w/]+\.py)`", row))
        assert [name for name in names if name not in code] == []
