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
import shutil
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
from keras_sweep.process.digest import compute_digest, compute_part_digests
from keras_sweep.process.source_code import read_code

SRC = str(pathlib.Path(__file__).parents[2] / "src")
ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.integers() | st.text()
VALUES = st.recursive(ATOMS, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner))


def digest(value: object) -> str:
    return compute_digest(value, "it")


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


def build_of(text: str, path: pathlib.Path | None = None, **given: object) -> typing.Any:
    """The function of a text: that of a file, if there is a path; else the text is gone, as after `python -c`."""
    module, text = types.ModuleType("of_the_users"), textwrap.dedent(text)
    vars(module).update(given)
    if path is not None:
        path.write_text(text)
    exec(compile(text, path or "<string>", "exec"), vars(module))
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
@pytest.mark.parametrize("in_file", [True, False])
def test_what_a_function_reaches_counts_and_what_it_does_not_use_does_not(before, after, same, in_file, tmp_path):
    assert before in HELPED
    one, other = [tmp_path / name if in_file else None for name in ("one.py", "other.py")]
    changed = digest(build_of(HELPED.replace(before, after), one))
    assert (changed == digest(build_of(HELPED, other))) is same


def test_a_docstring_does_not_count(tmp_path):
    text = "def build(x):{}\n    def inner():{}\n        return x\n    return inner\n"
    plain = build_of(text.format("", ""), tmp_path / "plain.py")
    said = build_of(text.format('\n    """Build."""', '\n        """Once\n\n        more."""'), tmp_path / "said.py")
    assert digest(plain) == digest(said)


@pytest.mark.parametrize("in_file", [True, False])
def test_an_attribute_that_bears_the_name_of_a_global_is_no_use_of_it(in_file, tmp_path):
    text, path = "def build(x): return x.handle", tmp_path / "it.py" if in_file else None
    with pytest.raises(UsageError, match="the global `handle`"):
        digest(build_of("def build(x): return x.handle, handle", handle=threading.Lock()))
    assert digest(build_of(text, path, handle=threading.Lock())) == digest(build_of(text, path))


def test_a_name_of_the_functions_own_is_no_use_of_a_global(tmp_path):
    text = """
        def build(units, cfg):
            rows = [handle for handle in cfg]
            class Inner:
                rate = 1
            def inner(depth):
                return depth + units
            return cfg.rate, rows, inner
    """
    locks = dict.fromkeys(("units", "cfg", "rows", "handle", "rate", "depth", "inner", "Inner"), threading.Lock())
    assert digest(build_of(text, tmp_path / "one.py", **locks)) == digest(build_of(text, tmp_path / "two.py"))


def test_a_function_is_of_the_text_that_was_imported_whatever_stands_there_now(tmp_path):
    text = "def build(x):\n    return x + 1\n"
    former = build_of(text, tmp_path / "mine.py")
    first = digest(former)
    again = build_of(text, tmp_path / "other.py")
    (tmp_path / "other.py").write_text(text.replace("+ 1", "+ 2"))  # before it was looked at
    (tmp_path / "mine.py").write_text("# a comment\n" + text.replace("+ 1", "+ 2"))
    assert digest(former) == first
    edited = build_of(text.replace("+ 1", "+ 2"), tmp_path / "third.py")
    assert digest(edited) not in (first, digest(again))


def test_of_functions_on_a_line_each_has_its_own_text(tmp_path):
    text = "pair = (lambda x: x + 1), (lambda x: (lambda y: x + y)); build = pair[{}]"
    one, two = build_of(text.format(0), tmp_path / "a.py"), build_of(text.format(1), tmp_path / "b.py")
    inner = build_of("build = (lambda x: (lambda y: x + y))(3)", tmp_path / "c.py")
    assert [read_code(each.__code__).text for each in (one, two, inner)] == [
        "lambda x: x + 1",
        "lambda x: lambda y: x + y",
        "lambda y: x + y",
    ]


WAYS = {
    "a global": "import my_cfg\ndef build(): return my_cfg.ACT",
    "imported inside": "def build():\n    import my_cfg as c\n    return c.ACT",
    "its name imported inside": "def build():\n    from my_cfg import ACT\n    return ACT",
    "a closure": "import my_cfg\ndef made(c):\n    def build(): return c.ACT\n    return build\nbuild = made(my_cfg)",
    "a default": "import my_cfg\ndef build(c=my_cfg): return c.ACT",
    "another module": "import my_via\ndef build(): return my_via.my_cfg.ACT",
    "a function of another module": "def build():\n    from my_via import act\n    return act()",
    "by its name": "def build():\n    import my_cfg\n    return getattr(my_cfg, 'ACT')",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_program_sets_in_a_module_counts_however_a_function_reaches_it(way, tmp_path, monkeypatch):
    (tmp_path / "my_cfg.py").write_text("ACT, UNUSED = 'relu', 1\nACT = 'relu'\n")
    (tmp_path / "my_via.py").write_text("import my_cfg\ndef act():\n    return my_cfg.ACT\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("my_cfg", "my_via"):  # of the case before
        sys.modules.pop(name, None)
    build = build_of(WAYS[way], tmp_path / "script.py")
    first = digest(build)
    assert build() == "relu"
    assert digest(build) == first  # also once it was called, which imports
    cfg = sys.modules["my_cfg"]
    cfg.UNUSED = 2  # type: ignore[attr-defined]
    assert digest(build) == first
    cfg.ACT = ""  # type: ignore[attr-defined]
    assert build() == ""
    assert digest(build) != first


def test_a_module_that_cant_be_imported_counts_by_its_files(tmp_path, monkeypatch):
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
        compute_digest(build, "build")


def test_a_refused_value_is_named_by_the_function_s_own_name_however_deep_it_lies():
    value = {"a": {"b": {"c": {"d": {"lock": threading.Lock()}}}}}
    where = r"\['lock'\] of \['d'\] of \['c'\] of the global `rows`"
    with pytest.raises(UsageError, match=f"`build` uses {where}: a value of type lock"):
        compute_digest(build_of("def build(): return rows", rows=value), "build")


def test_what_a_function_keeps_for_itself_does_not_count(tmp_path):
    text = """
        calls, built = 0, []
        def build(units):
            global calls
            calls += 1
            built.append(units)
            return calls
    """
    build = build_of(text, tmp_path / "it.py")
    first = digest(build)
    build(3)
    assert digest(build) == first
    model = Model(1)
    first = digest(model)
    model.build(3)
    assert digest(model) == first


@pytest.mark.parametrize("in_file", [True, False])
def test_what_a_function_sets_on_another_object_hides_no_variable_of_that_name(in_file, tmp_path):
    text = """
        rate = {rate}
        def made(units):
            def build(layer, more):
                layer.rate, layer.units = rate, units
                return layer
            return build
        build = made({units})
    """
    values = [(1, 2), (3, 2), (1, 3)]
    paths = [tmp_path / f"{rate}_{units}.py" if in_file else None for rate, units in values]
    builds = [build_of(text.format(rate=one[0], units=one[1]), path) for one, path in zip(values, paths, strict=True)]
    assert len({digest(build) for build in builds}) == 3


def test_a_function_of_the_users_that_bears_the_name_of_a_builtin_counts():
    text = "def sum(x): return x {} 1\ndef build(x): return sum(x)"
    assert digest(build_of(text.format("+"))) != digest(build_of(text.format("-")))


def test_a_value_that_holds_itself_ends():
    rings: list[list[object]] = [[1], [2]]
    for ring in rings:
        ring.append(ring)
    assert digest(rings[0]) != digest(rings[1])
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep, threading]
    with pytest.raises(UsageError, match="changes can't be detected"):
        digest(deep)


def test_parts_say_what_changed():
    def made(rate):
        def build(units=2):
            return units * rate

        return build

    one, other = compute_part_digests(made(1), "build"), compute_part_digests(made(2), "build")
    assert [name for name in one if one[name] != other[name]] == ["the variable `rate`"]


PROGRAM = """
import argparse, dataclasses, enum, functools, math, os
from collections import namedtuple
KINDS = {"relu", "tanh", "elu", ("a", 1)}
class Mode(enum.Enum):
    ONE = 1
class Kind(enum.StrEnum):
    A = enum.auto()
    def twice(self):
        return 2 * self
class Bits(enum.IntFlag):
    ON = 1
@dataclasses.dataclass(frozen=True)
class Config:
    names: list = dataclasses.field(default_factory=list)
    mode: Mode = Mode.ONE
Point = namedtuple("Point", "x y")
TABLE = {"a": Mode.ONE, "b": Config(["c"]), "c": Point(1, 2), "d": Kind.A, "e": Bits.ON}
class Base:
    def __call__(self, x):
        self.called = x
class Own(Base, argparse.Namespace):
    def __init__(self):
        super().__init__()
    @property
    def twice(self):
        return [x for x in KINDS]
    def call(self, x):
        return x if x in KINDS else x * TABLE["a"].value
def a(x): return b(x)
def b(x): return a(x) if x else SET
SET = {a, b, Own}
def made(rate):
    count = 0
    def build(units, activation=math.tanh):
        nonlocal count
        count += 1
        with open(os.path.join("a", f"{units!r:>{rate}} {TABLE['a']}")) as file:
            pass
        return Own(), units, a, rate, sorted(KINDS, key=lambda kind: (kind, rate))
    return build
build = functools.partial(made(2), 3)
"""
SAID = """
from keras_sweep.process.digest import compute_digest
print(compute_digest(build, "build"))
"""


def test_each_process_cell_and_version_of_python_finds_the_same(tmp_path):
    """A cell is compiled by statements. Of other versions those that are installed are asked."""
    script, cell = tmp_path / "script.py", tmp_path / "cell.py"
    cell.write_text(
        "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()\n"
        f"for text in ({PROGRAM!r}, {SAID!r}):\n    shell.run_cell(text).raise_error()\n"
    )
    versions = [shutil.which(f"python3.{minor}", path="/usr/bin") for minor in (11, 12, 13, 14)]
    found = {}
    for python, path in [(sys.executable, script), (sys.executable, cell), *((one, script) for one in versions if one)]:
        seed = str(len(found))
        script.write_text(PROGRAM.replace("def made", "# a comment\n" * len(found) + "def made") + SAID)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": SRC, "IPYTHONDIR": str(tmp_path)}
        done = subprocess.run([python, path], capture_output=True, text=True, env=environment, check=True)
        found[python, path] = done.stdout
    assert len(set(found.values())) == 1, found


KERAS_OBJECTS = """\
import keras
import numpy as np

encoder = keras.layers.StringLookup(vocabulary=None)
encoder.adapt(["a", "b"])
scaler = keras.layers.Normalization()
scaler.adapt(np.arange(VALUES).reshape(-1, 1))
inputs = keras.Input((1,))
outputs = keras.layers.Rescaling(0.5)(scaler(inputs))
space = keras.utils.FeatureSpace({"age": "float_normalized"}, output_mode="concat")
space.preprocessors["age"].adapt(np.arange(VALUES))
loss, metric, optimizer = keras.losses.Huber(), keras.metrics.MeanSquaredError(), keras.optimizers.SGD(0.1)
initializer = keras.initializers.HeNormal(seed=1)

def build():
    return keras.Model(inputs, outputs)

def build_space():
    return keras.Model(space.get_inputs(), space)

def build_rest():
    return encoder, loss, metric, optimizer, initializer
"""


def test_keras_objects_of_a_module_count_by_configuration_and_by_what_they_have_learned() -> None:
    def digests(values: int) -> list[str]:
        names: dict[str, typing.Any] = {"__name__": "made"}
        exec(compile(KERAS_OBJECTS.replace("VALUES", str(values)), "made", "exec"), names)
        values_of = [names[name] for name in ("outputs", "space", "scaler", "encoder", "loss", "metric", "optimizer")]
        return [compute_digest(value, "it") for value in (*values_of, names["initializer"], names["inputs"])]

    first, again, other = digests(4), digests(4), digests(6)
    assert first == again
    assert [one == two for one, two in zip(first, other, strict=True)] == [False] * 3 + [True] * 6
