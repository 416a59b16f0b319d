"""Text of others steers no terminal, misspelt names get a hint, and a sweep's name can't lead out of its folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.errors import SpaceFileError
from keras_sweep.space import text as words
from keras_sweep.space.text import check_sweep_name, did_you_mean, escape, find_nearest, itemize, join, pluralize, quote
from keras_sweep.space_file.read import read_space_file
from tests.helpers.space_texts import DENSE


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("learnin_rate", ["learning_rate"], "learning_rate"),  # a letter left out
        ("batch-size", ["batch_size"], "batch_size"),  # changed
        ("learnign_rate", ["learning_rate"], "learning_rate"),  # swapped with the next
        ("MSE", ["mae", "mse"], "mse"),
        ("sgdd", ["adagrad", "sgd"], "sgd"),
    ],
)
def test_a_name_with_a_slip_or_two_is_known(name: str, known: list[str], meant: str) -> None:
    assert find_nearest(name, known) == meant
    assert did_you_mean(name, known) == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("decay", ["weight_decay"]),
        ("fast", ["fit"]),  # as near to any other
        ("lr", ["l2", "rho"]),
    ],
)
def test_a_name_that_is_no_slip_of_another_gives_no_hint(name: str, known: list[str]) -> None:
    assert did_you_mean(name, known) is None


@given(st.text(st.characters(categories=None)))  # every code point, lone surrogates too
def test_escaped_text_steers_no_terminal_and_can_be_encoded(text: str) -> None:
    written = escape(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in written)
    assert not set(written) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")
    written.encode("utf-8")


def test_escaped_text_leaves_ordinary_writing_alone() -> None:
    for text in ("adam", "größe", "学習率", "[red]x[/red]", "👩\u200d🔬"):
        assert escape(text) == text
    assert escape("\x1b[31mred\nline") == "\\x1b[31mred\\nline"


def test_a_name_is_a_plain_word() -> None:
    for name in ("dense", "a", "7", "_x", "try-2.b_C", "x" * 64):
        assert check_sweep_name(name) is None
    forbidden = (
        "",
        "..",
        ".hidden",
        "-x",
        "x.",
        "a/b",
        "a\\b",
        "/a",
        "a b",
        "a\n",
        "a\0",
        "ä",
        "x" * 65,
        "~",
        "C:",
        "a?",
    )
    for name in forbidden:
        assert check_sweep_name(name) is not None
    with pytest.raises(SpaceFileError, match="a sweep's name"):
        read_space_file(Path("space.yaml"), text=DENSE, name="a b")


def test_a_name_of_a_device_of_windows_is_refused_on_every_system() -> None:
    for name in ("con", "NUL", "aux.2", "Com1", "lpt9.x.y", "prn"):
        fault = check_sweep_name(name)
        assert fault is not None and fault.endswith(f"a device, like `con`, `nul` or `com1`, but got {name!r}")
    for name in ("console", "com", "com10", "nul-2", "x.con"):
        assert check_sweep_name(name) is None


def test_a_file_whose_stem_is_no_name_needs_one() -> None:
    with pytest.raises(SpaceFileError, match=r"nor end with `.`, but got 'my space' \(use `--name`\)"):
        read_space_file(Path("my space.yaml"), text=DENSE)
    assert read_space_file(Path("my space.yaml"), text=DENSE, name="mine").name == "mine"


@given(st.text())
def test_an_allowed_name_stays_one_folder(name: str) -> None:
    if check_sweep_name(name) is None:
        assert (Path("/sweeps") / name).resolve().parent == Path("/sweeps").resolve()


def test_values_are_quoted_as_they_stand_in_a_file() -> None:
    values = (None, {}, {"a": 1, "b": 2}, [1, "x", (True,)], "it", "\x1b[0m")
    texts = ("nothing", "an empty map", "a map of a, b", "[1, 'x', [true]]", "'it'", "'\\x1b[0m'")
    assert tuple(map(quote, values)) == texts


def test_long_values_are_cut() -> None:
    assert quote("x" * 58) == repr("x" * 58)
    assert quote("x" * 59) == "'" + "x" * 56 + "..."
    assert len(quote("x" * 10**6)) == 60
    assert quote([1] * 21) == str([1] * 21)[:57] + "..."
    assert (quote([0] * 3), itemize([0] * 5), itemize([0] * 6)) == (
        "[0, 0, 0]",
        "0, 0, 0, 0, 0",
        "0, 0, 0, 0, 0 and 1 more",
    )


def test_names_and_counts_are_joined_for_a_sentence() -> None:
    assert [join(names, "or") for names in ([], ["a"], ["a", "b", "c"])] == ["", "a", "a, b or c"]
    assert join(["a", "b"]) == "a, b"
    assert [pluralize(count, "trial") for count in (0, 1, 2, 1200)] == [
        "0 trials",
        "1 trial",
        "2 trials",
        "1,200 trials",
    ]
    assert itemize(["a", 2], 1) == "'a' and 1 more"
    assert itemize(["x" * 70]) == repr("x" * 60)
    assert words.format_yaml_list(["id"] * 5_000).endswith("id, id, and 4,980 more]")
    assert words.format_yaml_list(["id", "?", "True", "null", "a b"]) == '[id, "?", "True", "null", "a b"]'
    assert words.strip_styles("\x1b[1;31mred\x1b[0m") == "red"


def test_only_the_beginning_of_a_name_is_compared() -> None:
    assert find_nearest("epochs" + "s" * 100, ["epochs"]) is None
    assert find_nearest(7, ["7"]) == "7"
