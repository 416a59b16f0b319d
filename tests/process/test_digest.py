"""A digest is of all that a value is, and of nothing else: the same in each process, another once a part is another."""

import argparse
import copy
import dataclasses
import datetime
import enum
import functools
import logging
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import textwrap
import threading
import types
import typing
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.errors import UsageError
from keras_sweep.process.digest import digest_of, digests_of_parts

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.integers() | st.text()
VALUES = st.recursive(ATOMS, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner))


def digest(value: object) -> str:
    return digest_of(value, "it")


@given(VALUES, VALUES)
def test_values_have_one_digest_exactly_where_they_are_equal_in_type_and_value(one, other):
    assert digest(one) == digest(copy.deepcopy(one))
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))


@given(st.sets(ATOMS | st.tuples(ATOMS, ATOMS)), st.randoms())
def test_the_order_of_a_set_does_not_count(values, rng):
    shuffled = list(values)
    rng.shuffle(shuffled)
    assert digest(set(shuffled)) == digest(values)
    assert digest(frozenset(shuffled)) == digest(values)
    assert digest({*values, "one more"}) != digest(values) or "one more" in values


@given(st.integers(-5, 5), st.text(max_size=3), st.lists(st.integers(0, 3), max_size=3))
def test_a_function_is_what_it_is_given_in_every_way(number, text, numbers):
    def made(number, text, numbers):
        def build(units, scale=number, *, kind=text):
            return units, scale, kind, numbers

        return build

    same = digest(made(number, text, list(numbers)))
    assert digest(made(number, text, numbers)) == same
    others = [(number + 1, text, numbers), (number, text + "x", numbers), (number, text, [*numbers, 1])]
    assert len({same, *(digest(made(*other)) for other in others)}) == 4
    partials = [digest(functools.partial(made(number, text, numbers), units=number + more)) for more in (0, 1)]
    assert len({same, *partials}) == 3


def build_of(text: str, **given: object) -> typing.Any:
    module = types.ModuleType("of_the_users")
    vars(module).update(given)
    exec(textwrap.dedent(text), vars(module))
    return module.build


HELPED = """
    import math
    RATE, UNUSED, TABLE = 0.5, 1, {"a": [1, 2]}
    def helper(x, depth=2):
        return x if depth == 0 else helper(x * RATE, depth - 1)
    def build(units):
        class Inner:
            factor = TABLE["a"]
        return [helper(unit) for unit in range(units)], math.pi
"""


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("    def build", "    # a comment\n\n\n    def build", True),
        ("range(units)", "range(  units  )", True),
        ("UNUSED, TABLE = 0.5, 1,", "UNUSED, TABLE = 0.5, 2,", True),
        ("RATE, UNUSED, TABLE = 0.5", "RATE, UNUSED, TABLE = 0.25", False),
        ("[1, 2]", "[1, 3]", False),
        ("depth=2", "depth=3", False),
        ("x * RATE", "x / RATE", False),
        ("math.pi", "math.e", False),
    ],
)
def test_what_a_function_reaches_counts_and_what_it_does_not_use_does_not(before, after, same):
    assert before in HELPED
    changed = digest(build_of(HELPED.replace(before, after)))
    assert (changed == digest(build_of(HELPED))) is same


def test_an_attribute_that_bears_the_name_of_a_global_is_no_use_of_it():
    digest(build_of("def build(x): return x.handle", handle=threading.Lock()))


def test_of_a_module_of_the_users_what_is_used_counts(tmp_path, monkeypatch):
    (tmp_path / "my_parts.py").write_text("RATE = 1\nOTHER = 1\ndef block(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_parts", raising=False)
    import my_parts  # type: ignore[import-not-found]

    build = build_of("def build(x): return my_parts.block(x) * my_parts.RATE", my_parts=my_parts)
    first = digest(build)
    my_parts.OTHER = 2
    assert digest(build) == first
    my_parts.RATE = 2
    assert digest(build) != first
    monkeypatch.delitem(sys.modules, "my_parts")


def test_a_module_that_a_function_imports_itself_counts_by_its_files_and_is_not_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "my_late_parts.py"
    build = build_of("def build(x):\n    from my_late_parts import block\n    return block(x)")
    file.write_text("raise ValueError\n")
    first = digest(build)
    file.write_text("raise ValueError  # a comment\n")
    assert digest(build) == first
    file.write_text("raise TypeError\n")
    assert digest(build) != first


Colour = enum.Enum("Colour", ["RED", "BLUE"])


@dataclasses.dataclass
class Config:
    names: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Slotted:
    units: int


class Base:
    scale = 1

    @property
    def twice(self):
        return 2 * self.scale

    @functools.cached_property
    def thrice(self):
        return 3 * self.scale


class Model(Base):
    def __init__(self, units):
        self.units = units
        self.myself = self.build  # a circle

    def build(self, hp):
        self.built = hp
        return super().__init__, Model, self.units

    @staticmethod
    def of_none():
        return None

    @classmethod
    def small(cls):
        return cls(1)


@functools.lru_cache
def cached(x):
    return x


COMMON = {
    "enum": (Colour.RED, Colour.BLUE),
    "path": (pathlib.Path("a"), pathlib.Path("b")),
    "dataclass": (Config(), Config(names=["a"])),
    "slots": (Slotted(1), Slotted(2)),
    "instance": (Model(1), Model(2)),
    "bound method": (Model(1).build, Model(2).build),
    "class": (Model, Base),
    "static method": (Model.of_none, Model.small),
    "named": (argparse.Namespace(a=1), argparse.Namespace(a=2)),
    "simple": (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
    "logger": (logging.getLogger("a"), logging.getLogger("b")),
    "pattern": (re.compile("a"), re.compile("a", re.IGNORECASE)),
    "date": (datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2)),
    "typing": (typing.Optional[int], typing.Optional[str]),  # noqa: UP045
    "generic": (list[int], list[str]),
    "union": (int | str, int | float),
    "ordered": (OrderedDict(a=1), OrderedDict(a=2)),
    "default": (defaultdict(list, a=1), defaultdict(dict, a=1)),
    "lambdas on one line": (lambda units: units + 1, lambda units: units + 2),
    "cached": (cached, functools.lru_cache(math.sin)),
    "module": (math, random),
    "of C": (len, math.sin),
    "of C, bound": ([1].count, [2].count),
    "of C, of a class": (dict.fromkeys, str.upper),
    "installed": (np.linspace, np.linalg.norm),
    "ufunc": (np.tanh, np.sin),
    "array": (np.zeros(3), np.zeros((3, 1))),
    "scalar": (np.float32(1), np.float64(1)),
    "array of objects": (np.array(["a", None]), np.array(["a", "b"])),
    "array of text": (np.array(["a", "b"]), np.array(["a", "c"])),
    "text of any length": (np.array(["a"], np.dtypes.StringDType()), np.array(["b"], np.dtypes.StringDType())),
    "masked": (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[0, 0])),
    "type of numbers": (np.dtype("float32"), np.dtype("float64")),
    "generator": (np.random.default_rng(1), np.random.default_rng(2)),
    "random": (random.Random(1), random.Random(2)),
    "environment": (frozenset({("a", 1)}), frozenset({("a", 2)})),
    "sentinel": (object(), Ellipsis),
}


@pytest.mark.parametrize("name", COMMON)
def test_what_is_common_has_a_digest_and_another_has_another(name):
    one, other = COMMON[name]
    assert digest(one) == digest(one) != digest(other)


def test_a_class_has_its_digest_also_once_an_object_of_it_was_copied():
    """Which leaves `__slotnames__` in the class."""

    class Fresh:
        pass

    before = digest(Fresh)
    copy.copy(Fresh())
    assert "__slotnames__" in vars(Fresh)
    assert digest(Fresh) == before


def test_of_keras_and_its_backends_numbers_and_configuration_count():
    import jax
    import keras
    import polars as pl
    import tensorflow as tf

    def layer(units=2, **more):
        return keras.layers.Dense(units, **more)

    def model(units=2):
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((3,)), layer(), layer(units)])

    pairs = [
        (layer(), layer(), layer(3)),  # their names count the layers made before
        (model(), model(), model(3)),
        (keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.2)),
        (keras.initializers.HeNormal(1), keras.initializers.HeNormal(1), keras.initializers.HeNormal(2)),
        (keras.Variable([1.0]), keras.Variable([1.0]), keras.Variable([2.0])),
        (jax.numpy.ones(2), jax.numpy.ones(2), jax.numpy.ones(3)),
        (jax.random.key(1), jax.random.key(1), jax.random.key(2)),
        (jax.numpy.tanh, jax.numpy.tanh, jax.numpy.sin),
        (jax.jit(cached), jax.jit(cached), jax.jit(digest)),
        (tf.constant([1]), tf.constant([1]), tf.constant([2])),
        (tf.function(digest), tf.function(digest), tf.function(build_of)),
        (pl.DataFrame({"a": ["x"]}), pl.DataFrame({"a": ["x"]}), pl.DataFrame({"a": ["y"]})),
        (pl.Series([1]), pl.Series([1]), pl.Series([2])),
    ]
    for one, same, other in pairs:
        assert digest(one) == digest(same) != digest(other), one
    moved = model()
    moved.set_weights([weight + 1 for weight in moved.get_weights()])
    assert digest(moved) != digest(model())


@pytest.mark.parametrize(
    "make", [threading.Lock, lambda: (x for x in "ab"), lambda: sys.__stderr__, lambda: memoryview(b"")]
)
def test_what_has_no_digest_is_refused_with_where_it_stands(make):
    value = make()
    build = build_of("def helper(): return config['log']\ndef build(): return helper()", config={"log": value})
    where = r"\['log'\] of the global `config` of the global `helper`"
    with pytest.raises(UsageError, match=f"`build` uses {where}: a value"):
        digest_of(build, "build")


def test_what_a_function_keeps_for_itself_does_not_count():
    build = build_of("""
        calls, built = 0, []
        def build(units):
            global calls
            calls += 1
            built.append(units)
            return calls
    """)
    first = digest(build)
    build(3)
    assert digest(build) == first
    model = Model(1)
    first = digest(model)
    model.build(3)
    assert digest(model) == first


def test_a_value_that_holds_itself_ends():
    rings: list[list[object]] = [[1], [2]]
    for ring in rings:
        ring.append(ring)
    assert digest(rings[0]) != digest(rings[1])
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep, threading]
    with pytest.raises(UsageError, match="no digest"):
        digest(deep)


def test_parts_say_what_changed():
    def made(rate):
        def build(units=2):
            return units * rate

        return build

    one, other = digests_of_parts(made(1), "build"), digests_of_parts(made(2), "build")
    assert [name for name in one if one[name] != other[name]] == ["the variable `rate`"]


def test_each_process_finds_the_same(tmp_path):
    script = tmp_path / "script.py"
    text = f"""
        import sys, argparse, functools, enum
        sys.path[:0] = {sys.path!r}
        import numpy as np
        from keras_sweep.process.digest import digest_of
        KINDS = {{"relu", "tanh", "elu", ("a", 1)}}
        class Mode(enum.Enum):
            ONE = 1
        RNG, TABLE = np.random.default_rng(1), {{"a": Mode.ONE}}
        class Own(argparse.Namespace):
            def call(self, x):
                return x if x in KINDS else x * RNG.random() * TABLE["a"].value
        def a(x): return b(x)
        def b(x): return a(x) if x else SET
        SET = {{a, b, Own}}
        def build(units, activation=np.tanh):
            return Own(), units, a
        print(digest_of(functools.partial(build, 3), "build"))
    """
    found = set()
    for seed, written in (("1", text), ("2", text.replace("def build", "# a comment\n\n        def build"))):
        script.write_text(textwrap.dedent(written))
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, script], capture_output=True, env=environment, check=True).stdout)
    assert len(found) == 1
