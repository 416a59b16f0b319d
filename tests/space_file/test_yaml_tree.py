"""The tree has the values of YAML 1.2 and the lines of the file."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_sweep.space_file.options import dump_yaml
from keras_sweep.space_file.yaml_tree import MOST_NODES, TreeError, decode_text, parse_scalar, parse_yaml

words = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
lookalikes = st.sampled_from(
    ["no", "on", "1e-4", "0x1f", "0o7", "~", "", "null", "True", "1_000", ".5", "2026-01-01", ":"]
)
scalars = st.one_of(st.none(), st.booleans(), numbers, words, lookalikes)
documents = st.dictionaries(
    st.one_of(words, lookalikes),
    st.recursive(
        scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=3), max_leaves=8
    ),
    min_size=1,
    max_size=4,
)


@given(documents)
@example({"\x85\u2028\x7f\ufeff": "\U0001f600\x9f"})
def test_what_is_written_reads_back(document: dict[str, Any]) -> None:
    read = parse_yaml(dump_yaml(document)).plain
    assert read == document
    assert repr(read) == repr(document)  # 1, 1.0 and True differ


VALUES = {"1e-4": 1e-4, "1E5": 1e5, ".5": 0.5, "5.": 5.0, "-0": 0, "+12": 12, "0o17": 15, "0x1F": 31, "017": 17}
WORDS = {"true": True, "FALSE": False, "~": None, "": None, "Null": None}
TEXTS = ["yes", "off", "tRUE", "1_000", "1:30", "2026-01-01", "1e", "0x", "٣", "1" * 401]


@pytest.mark.parametrize(("text", "value"), [*VALUES.items(), *WORDS.items(), *((text, text) for text in TEXTS)])
def test_a_scalar_has_the_value_of_the_core_schema(text: str, value: object) -> None:
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", str(2**63), str(-(2**63) - 1), "0x" + "f" * 17])
def test_a_number_that_nothing_can_use_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be finite|must fit 64 bits"):
        parse_scalar(text)


def test_a_node_knows_its_line() -> None:
    root = parse_yaml("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n\n'e': |\n  text\n")
    assert [root.at(*path).line for path in (("a",), ("b",), ("b", 0), ("b", 1, "d"), ("e",))] == [1, 2, 3, 5, 7]
    assert root.at("b", 1, "none").line == 4  # the nearest that there is
    assert root.plain == {"a": 1, "b": ["x", {"c": 2, "d": 3}], "e": "text\n"}


def test_a_quoted_scalar_is_text() -> None:
    assert parse_yaml("a: '1'\nb: \"null\"\nc: >\n  2\n").plain == {"a": "1", "b": "null", "c": "2\n"}


def test_all_duplicate_keys_are_told() -> None:
    with pytest.raises(TreeError) as caught:
        parse_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [(fault.key, fault.line) for fault in caught.value.faults] == [("b.c", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("head", "unit", "times"),
    [
        *(
            ("", unit, 250_000 // len(unit))
            for unit in ("[", "{", "- ", "? ", "&a ", "- x\n", "---\n", "#", " ", "\n", "a")
        ),
        *((head, "9", 200_000) for head in ("a: |", "a: 0x", "%Y", "a: !<")),
        ('"', "\\", 250_000),
        ("a: '", "'", 250_000),
        ("a: &a ", "[*a, *a]\n", 1),
    ],
)
def test_hostile_text_ends_before_the_patience_of_the_tests_and_tells_a_fault(head: str, unit: str, times: int) -> None:
    try:
        parse_yaml(decode_text((head + unit * times).encode()))
    except TreeError as error:
        assert error.faults


def test_the_limit_counts_values_with_aliases_written_out() -> None:
    assert parse_yaml("a: &a [" + "1, " * 100 + "]\nb: *a\n").nodes == 2 * 101 + 2 + 1
    with pytest.raises(TreeError, match=f"{MOST_NODES:,}"):
        parse_yaml("[" + "1," * (MOST_NODES + 1) + "]")
