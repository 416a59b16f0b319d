"""Whatever stands in a file, reading it gives a spec or a list of faults."""

from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import escape
from keras_sweep.space_file.keras_tables import ARGUMENTS, METRICS, OPTIMIZERS
from keras_sweep.space_file.options import dump_yaml
from keras_sweep.space_file.read import read_space_file
from tests.helpers.space_texts import DENSE

PATH = Path("space.yaml")


def read(text: str, **options: Any) -> SweepSpec | None:
    """A spec whose text reads back to it; None where there are faults, each of them one printable line."""
    try:
        spec = read_space_file(PATH, text=text, **options)
    except SpaceFileError as error:
        assert error.faults
        for fault in error.faults:
            assert escape(fault.text(PATH)) == fault.text(PATH)
            assert len(fault.text(PATH)) < 2500, fault
            assert fault.line is None or 1 <= fault.line <= text.count("\n") + 2
        return None
    again = read_space_file(PATH, text=spec.text)
    assert (again.space, again.search, again.model, again.data) == (spec.space, spec.search, spec.model, spec.data)
    assert all(escape(warning) == warning for warning in spec.warnings)
    units = iter([0.37] * len(spec.space.parameters))
    params = spec.space.at(units)
    assert set(params) >= set(spec.space.constants)
    assert spec.space.size >= 1
    return spec


@given(st.text() | st.text(st.sampled_from("&*!|>%@`'\"#-:?[]{},\n\t \\xu0a1.~<=")))
def test_any_text(text: str) -> None:
    read(text)


inserts = st.text(st.sampled_from("abe10-+.:{}[],&*!'\"\n #~x/"), max_size=6)
changes = st.tuples(st.integers(0, len(DENSE)), st.integers(0, 12), inserts)


@given(st.lists(changes, min_size=1, max_size=4))
@settings(max_examples=100)
def test_any_small_change_of_a_good_file(found: list[tuple[int, int, str]]) -> None:
    text = DENSE
    for start, length, insert in found:
        text = text[:start] + insert + text[start + length :]
    read(text)


block_keys = st.sampled_from(
    ["value", "values", "min", "max", "log", "distribution", "q", "probabilities", "when", "take", "maxx", "parameters"]
)
WORDS = """
    optimizer epochs batch_size seed model.units model.hidden uniform log_uniform q_uniform int_uniform
    q_log_uniform_values categorical constant normal val_loss val_accuracy digits dense python csv best hyperband
    optuna a:b
"""
names = st.sampled_from([*OPTIMIZERS, *ARGUMENTS, *METRICS[:5], *WORDS.split(), "", "\x1b[0m"])
numbers = st.one_of(st.integers(-3, 40), st.floats(-2, 800), st.integers(-(2**63), 2**63 - 1))
leaves = st.one_of(st.none(), st.booleans(), numbers, names, st.text(max_size=3))
values = st.recursive(
    leaves,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(block_keys | names | st.text(max_size=3), below, max_size=4)
    ),
    max_leaves=8,
)
blocks = st.one_of(
    values, st.dictionaries(block_keys, st.one_of(leaves, st.lists(leaves, max_size=4), values), max_size=4)
)
ends = st.integers(0, 9) | st.floats(0, 2)
extra = st.dictionaries(st.sampled_from(["log", "q"]), st.sampled_from([True, False, 1, 2, 0.5]), max_size=1)
ranges = st.builds(lambda low, more, extra: {"min": low, "max": low + more, **extra}, ends, ends, extra)
choices = st.builds(lambda found: {"values": found}, st.lists(leaves, min_size=1, max_size=3))
parameters = st.dictionaries(st.one_of(names, st.text(max_size=4)), st.one_of(blocks, ranges, choices), max_size=6)


@given(parameters)
@settings(max_examples=100)
@example({"epochs": {"distribution": "q_uniform", "min": 1e-300, "max": 1e300, "q": 1e-300}})
@example({"learning_rate": {"distribution": "log_uniform", "min": -(2**63), "max": 700}})
@example({"seed": {"min": -(2**63), "max": 2**63 - 1, "q": 2**62}})
@example({"learning_rate": {"min": -1e308, "max": 1e308}})
@example({"model.l2": {"min": 5e-324, "max": 1e308, "log": True}})
def test_any_parameters(found: dict[str, Any]) -> None:
    head, _, tail = DENSE.partition("parameters:")
    read(head + tail[tail.index("search:") :] + dump_yaml({"parameters": found}))


@given(
    st.lists(st.one_of(st.text(max_size=20), st.builds("{}={}".format, names, leaves)), max_size=3),
    st.one_of(st.none(), st.text(max_size=8), names),
    st.one_of(st.none(), st.integers()),
)
@example(["parameters=[]"], None, 1)
@example(["parameters.a.b.c=1", "a.b.c.d=1", "model.a.b.c=1", "model=1", "model.dense=1"], None, None)
@example(["search=1"], "optuna", 3)
def test_any_options(sets: list[str], word: str | None, number: int | None) -> None:
    read(DENSE, sets=sets, engine=word, sampler=word, trials=number, seed=number)
    read(DENSE, sets=sets, engine=word, trials=number)
