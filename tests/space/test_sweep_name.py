"""A sweep's name can't lead out of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.text import sweep_name_fault
from keras_sweep.space_file.read import read_space_text
from tests.helpers.space_texts import DENSE


@pytest.mark.parametrize("name", ["dense", "a", "7", "_x", "try-2.b_C", "x" * 64])
def test_a_plain_name_is_allowed(name: str) -> None:
    assert sweep_name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-x", "a/b", "a\\b", "../a", "/a", "a b", "a\n", "a\0", "ä", "x" * 65, "~", "a:b", "C:"],
)
def test_a_name_that_is_no_plain_word_is_refused(name: str) -> None:
    assert sweep_name_fault(name) is not None
    with pytest.raises(SpaceFileError, match="a sweep's name"):
        read_space_text(DENSE, path=Path("space.yaml"), name=name)


def test_a_file_whose_stem_is_no_name_needs_one() -> None:
    with pytest.raises(SpaceFileError, match=r"begins with a letter, digit or `_`, but got 'my space' \(use --name\)"):
        read_space_text(DENSE, path=Path("my space.yaml"))
    assert read_space_text(DENSE, path=Path("my space.yaml"), name="mine").name == "mine"


@given(st.text())
def test_an_allowed_name_stays_one_folder(name: str) -> None:
    if sweep_name_fault(name) is None:
        assert (Path("/sweeps") / name).resolve().parent == Path("/sweeps").resolve()
