"""Text of others steers no terminal, misspelt names get a hint, and a sweep's name can't lead out of its folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.text import did_you_mean, escaped, nearest, sweep_name_fault
from keras_sweep.space_file.read import read_space_file
from tests.helpers.space_texts import DENSE


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("learnin_rate", ["learning_rate"], "learning_rate"),  # a letter left out
        ("epochss", ["epochs"], "epochs"),  # put in
        ("batch-size", ["batch_size"], "batch_size"),  # changed
        ("learnign_rate", ["learning_rate"], "learning_rate"),  # swapped with the next
        ("lerning_ratee", ["learning_rate"], "learning_rate"),  # two slips
        ("MSE", ["mae", "mse"], "mse"),
        ("sgdd", ["adagrad", "sgd"], "sgd"),
        ("max", ["max", "may"], "max"),
    ],
)
def test_a_name_with_a_slip_or_two_is_known(name: str, known: list[str], meant: str) -> None:
    assert nearest(name, known) == meant
    assert did_you_mean(name, known) == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("decay", ["weight_decay"]),
        ("loss", ["loss_scale_factor"]),
        ("fast", ["fit"]),  # as near to any other
        ("lr", ["l2", "rho"]),
        ("", ["a"]),
    ],
)
def test_a_name_that_is_no_slip_of_another_gives_no_hint(name: str, known: list[str]) -> None:
    assert did_you_mean(name, known) is None


@given(st.text(st.characters(categories=None)))  # every code point, lone surrogates too
def test_escaped_text_steers_no_terminal_and_can_be_encoded(text: str) -> None:
    written = escaped(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in written)
    assert not set(written) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")
    written.encode("utf-8")


def test_escaped_text_leaves_ordinary_writing_alone() -> None:
    for text in ("adam", "größe", "学習率", "[red]x[/red]", "👩\u200d🔬"):
        assert escaped(text) == text
    assert escaped("\x1b[31mred\nline") == "\\x1b[31mred\\nline"


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
        read_space_file(Path("space.yaml"), text=DENSE, name=name)


def test_a_file_whose_stem_is_no_name_needs_one() -> None:
    with pytest.raises(SpaceFileError, match=r"begins with no `.` or `-`, but got 'my space' \(use --name\)"):
        read_space_file(Path("my space.yaml"), text=DENSE)
    assert read_space_file(Path("my space.yaml"), text=DENSE, name="mine").name == "mine"


@given(st.text())
def test_an_allowed_name_stays_one_folder(name: str) -> None:
    if sweep_name_fault(name) is None:
        assert (Path("/sweeps") / name).resolve().parent == Path("/sweeps").resolve()
