"""A digest of a value of a running program, of functions and all that they reach, which is the same in every process.

A function is its source text, without comments, layout and docstrings (`source_code.py`), with the values that it uses:
defaults, variables of the function around it, globals, and what it imports itself. An installed package counts by its
name and version. All else is taken apart as `pickle` would, or refused: a changed one could not be told from it.
"""

import ast
import builtins
import contextlib
import copyreg
import functools
import hashlib
import importlib.util
import inspect
import linecache
import re
import sys
import types
from collections.abc import Callable
from enum import Enum
from typing import Any

from keras_sweep.errors import UsageError
from keras_sweep.process.source_code import (
    Chains,
    CodeText,
    get_module_facts,
    get_package_version,
    is_installed,
    read_code,
)

Apart = tuple[Any, list[tuple[str, Any]]]  # what a value is by itself; its parts, each with what messages call it

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
NOTES = ("append", "add", "extend", "update")
# What Python keeps of a class beside what stands in it: where it stands, texts, caches, and annotations.
OF_A_CLASS = re.compile(
    r"__(dict|weakref|module|qualname|doc|replace|firstlineno|slotnames|static_attributes|dataclass_params|annot\w+)__|_abc_impl"
)


def compute_digest(value: Any, name: str) -> str:
    """SHA-256 (hex) of a value, which messages call by that name. Raises UsageError where it has none."""
    return _Digest([name]).of(value).hex()


def compute_part_digests(value: Any, name: str) -> dict[str, str]:
    """What a value is made of, in words, each with its digest: by it a change can be named. Raises as `digest_of`."""
    digest = _Digest([name])
    digest.of(value)
    head, parts = digest.taken_apart(value)
    return {"what it is": _sha(head).hex(), **{words: digest.of(part).hex() for words, part in parts}}


class _Digest:
    def __init__(self, path: list[str], known: dict[int, tuple[Any, bytes | int]] | None = None) -> None:
        self.path = path  # in words, from the outside in
        # Each object that was met, by its identity, with what stands for it where it is met again: its digest, or its
        # level where the walk is still inside of it. The objects are held, since an identity is given anew.
        self.known = known or {}

    def of(self, value: Any, words: str | None = None) -> bytes:
        if type(value) in ATOMS:
            return _sha((type(value).__name__, value))
        _, known = self.known.get(id(value), (None, None))
        if known is not None:
            return known if isinstance(known, bytes) else _sha(("levels up", len(self.path) - known))
        self.path += [words] if words else []
        self.known[id(value)] = (value, len(self.path))
        try:
            head, parts = self.taken_apart(value)
            digest = _sha(head, *(self.of(part, inner) for inner, part in parts))
        except UsageError:
            raise
        except Exception as error:  # whatever a type raises that can't be taken apart
            raise self.refused(value) from error
        self.path = self.path[: -1 if words else None]
        self.known[id(value)] = (value, digest)
        return digest

    def refused(self, value: Any) -> UsageError:
        name, *place = self.path
        place[1:-3] = []  # the name that the user gave, and the last steps to the value
        what = f"a value of type {type(value).__name__}, which has no digest, so a changed one could not be told"
        return UsageError(
            f"`{name}` uses {' of '.join(reversed(place))}: {what}" if place else f"`{name}` is {what}",
            hint="Make it inside of the function, or give the function what it is made from",
        )

    def taken_apart(self, value: Any) -> Apart:
        kind = type(value)
        if kind in (set, frozenset):  # their order is another in each process, so each element is walked by itself
            apart = (_Digest(list(self.path), dict(self.known)).of(inner, "an element") for inner in value)
            return ("set", sorted(apart)), []
        if kind in PLAIN:
            return PLAIN[kind](value)
        if (name := _installed_name(value)) is not None:
            return name, []
        if isinstance(value, type):
            return _class(value)
        if isinstance(value, Enum):
            return "enum", [("its class", kind), ("its value", value.value)]
        if hasattr(value, "__wrapped__") and is_installed(kind.__module__):  # by `lru_cache`, `jax.jit`, `tf.function`
            return kind.__name__, [("its function", value.__wrapped__)]
        return _array(value) or _keras_object(value) or _pickled(value)


def _sha(head: Any, *parts: bytes) -> bytes:
    text = head if isinstance(head, bytes) else repr(head).encode(errors="surrogatepass")
    digest = hashlib.sha256(len(text).to_bytes(8, "big"))
    for part in (text, *parts):
        digest.update(part)
    return digest.digest()


def _list(value: Any) -> Apart:
    if all(type(inner) in ATOMS for inner in value):
        return (type(value).__name__, value), []
    return (type(value).__name__, len(value)), [(f"item {at}", inner) for at, inner in enumerate(value)]


def _dict(value: Any) -> Apart:
    words = [(f"[{key!r:.40}]", part) for item in value.items() for key in item[:1] for part in item]
    return ("dict", len(value)), words


def _function(function: types.FunctionType) -> Apart:
    code, defaults = function.__code__, function.__defaults__ or ()
    module = str(function.__globals__.get("__name__"))  # `__module__` is, of a decorator's function, what it decorates
    installed = is_installed(module)
    if installed and "<" not in code.co_qualname:
        return (f"{module}.{code.co_qualname}", get_package_version(module)), []
    by_name = installed and code.co_name != "<lambda>"
    reading = CodeText((module, code.co_qualname)) if by_name else read_code(code)
    named = code.co_varnames[: code.co_argcount][code.co_argcount - len(defaults) :]
    keywords = sorted((function.__kwdefaults__ or {}).items())
    parts: dict[str, Any] = {"its code": reading.text}
    parts |= {f"the default of `{name}`": value for name, value in [*zip(named, defaults, strict=True), *keywords]}
    parts |= {f"the attribute `{name}`": value for name, value in sorted(vars(function).items())}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            parts |= _reached(f"the variable `{name}", cell.cell_contents, reading.chains.get(name, {()}))
    known = {} if installed else function.__globals__
    for name in sorted(name for name in reading.globals & known.keys() if not name.startswith("__")):
        if not hasattr(builtins, name) or _installed_name(known[name]) is None:  # IPython brings its own `open`
            parts |= _reached(f"the global `{name}", known[name], reading.chains.get(name, {()}))
    for name, path, attribute in () if installed else sorted(reading.imports):
        value = _import_value(name, path, attribute, known.get("__package__") or "")
        parts |= _reached(f"the import `{path}.{attribute}".rstrip("."), value, reading.chains.get(name) or {()})
    return ("function", list(parts)), list(parts.items())


def _import_value(name: str, path: str, attribute: str, package: str) -> Any:
    """Import what a function imports. An installed package, or a module that raises, counts by its version or files."""
    try:
        path = importlib.util.resolve_name(path, package)
        if is_installed(path):
            return path, attribute, get_package_version(path)
        module = importlib.import_module(path)
        if not attribute:
            return sys.modules[name] if path.startswith(f"{name}.") else module
        if hasattr(module, attribute):
            return getattr(module, attribute)
        return importlib.import_module(f"{path}.{attribute}")
    except (Exception, SystemExit):  # the call tells
        return get_module_facts(path)


def _reached(words: str, value: Any, chains: Chains) -> dict[str, Any]:
    """What a function takes of a value, by attributes: of a module of the user's that is used, of others all.

    A list or the like that is only added to is left out, since that changes nothing.
    """
    reached: dict[str, Any] = {}
    if isinstance(value, list | set | dict) and all(chain and chain[0] in NOTES for chain in chains):
        return reached
    for chain in sorted(chains):
        place, inner = words, value
        for attribute in chain:
            is_own = isinstance(inner, types.ModuleType) and not is_installed(inner.__name__)
            if not is_own or not hasattr(inner, attribute):
                break
            place, inner = f"{place}.{attribute}", getattr(inner, attribute)
        reached[f"{place}`"] = inner
    return reached


def _module(module: types.ModuleType) -> Apart:
    """A module that is used as a whole: its files, and the values now of names that its text gives plain ones."""
    if is_installed(module.__name__):
        return get_module_facts(module.__name__), []
    tree = ast.parse("".join(linecache.getlines(str(module.__file__))))
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and not any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    names -= {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    return get_module_facts(module.__name__), [(f"its `{name}`", getattr(module, name, None)) for name in sorted(names)]


def _partial(value: functools.partial[Any]) -> Apart:
    parts = {"its function": value.func, **{f"argument {at}": inner for at, inner in enumerate(value.args)}}
    parts |= {f"the argument `{name}`": inner for name, inner in value.keywords.items()}
    return ("partial", list(parts)), list(parts.items())


def _installed_name(value: Any) -> tuple[str, str] | None:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name or hasattr(value, "__origin__"):
        return None  # it has no such name, or stands for another (`list[int]`)
    if not is_installed(module):
        return None
    return f"{module}.{name}", get_package_version(module)


def _class(kind: type) -> Apart:
    own = {
        name: None if _is_written(value) else value
        for name, value in sorted(vars(kind).items())
        if not OF_A_CLASS.fullmatch(name)
        and not isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType)
    }
    if issubclass(kind, Enum):  # each version keeps its members elsewhere, and gives it other methods
        written = {name for name in own if getattr(own[name], "__module__", None) == kind.__module__ or name[0] != "_"}
        own = {name: own[name] for name in sorted(written - kind.__members__.keys())}
        own["its members"] = {name: member.value for name, member in kind.__members__.items()}
    parts: list[tuple[str, Any]] = [("its base", base) for base in (*kind.__bases__, type(kind))]
    parts += [(f"the attribute `{name}`", value) for name, value in own.items()]
    return ("class", kind.__name__, list(own)), parts


def _is_written(method: Any) -> bool:
    """Whether `dataclasses` or `namedtuple` wrote a method: it follows from the fields, and versions differ."""
    function = inspect.unwrap(method)
    is_of_dataclass = getattr(getattr(function, "__code__", None), "co_qualname", "").startswith("__create_fn__.")
    is_new = str(getattr(function, "__module__", None)).startswith("namedtuple_")
    return is_of_dataclass or is_new or type(method).__name__ == "_tuplegetter"


def _array(value: Any) -> Apart | None:
    """An array of NumPy, JAX, TensorFlow or PyTorch, or a variable of Keras: its type of numbers, shape and bytes."""
    if not hasattr(type(value), "__array__"):
        return None
    import numpy as np

    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except TypeError:  # a random key of JAX
        return None
    if isinstance(value, np.ma.MaskedArray) or array.dtype.hasobject:  # which `pickle` takes apart
        return None
    return repr(("array", str(array.dtype), array.shape)).encode() + array.tobytes(), []


def _keras_object(value: Any) -> Apart | None:
    """A layer, a model, an optimizer and the like: by Keras's configuration, and the weights that are built."""
    if not callable(getattr(value, "get_config", None)) or not hasattr(value, "from_config"):
        return None
    weights = list(getattr(value, "weights", ()))
    config = _without_counts(value.get_config(), {})
    return "of Keras", [("its type", type(value)), ("its configuration", config), ("its weights", weights)]


def _without_counts(config: Any, names: dict[str, str]) -> Any:
    """Names that Keras gave (`dense_3`) count what was made before: each by its order here. Own classes count."""
    if isinstance(config, dict):
        own = getattr(sys.modules.get(str(config.get("module"))), str(config.get("class_name")), None)
        inner = {key: _without_counts(value, names) for key, value in config.items()}
        return {**inner, "its class": own} if isinstance(own, type) else inner
    if isinstance(config, list | tuple):
        return [_without_counts(value, names) for value in config]
    if isinstance(config, str):
        return names.setdefault(config, re.sub(r"_\d+$", "", config) + f" {len(names)}")
    return config


def _pickled(value: Any) -> Apart:
    """Any other object, as `pickle` takes it: what makes it, its state, and what it holds."""
    reduce = copyreg.dispatch_table.get(type(value))
    taken = reduce(value) if reduce else value.__reduce_ex__(4)
    if isinstance(taken, str):
        return (type(value).__name__, taken), []
    make, arguments, state, items, pairs = (*taken, None, None, None)[:5]
    parts = [("its class", [make, *arguments])]
    if isinstance(state, dict):
        builds = [getattr(getattr(type(value), name, None), "__code__", None) for name in ("build", "__call__")]
        own = {name for code in builds if code for name in read_code(code).sets}  # else each call changes the digest
        held = {name: inner for name, inner in state.items() if name not in own}
        parts += [("names", list(held)), *((f"the attribute `{name}`", inner) for name, inner in held.items())]
    else:
        parts.append(("its state", state))
    return "pickled", [*parts, ("its items", [*(items or ()), *(pairs or ())])]


PLAIN: dict[type, Callable[[Any], Apart]] = {
    list: _list,
    tuple: _list,
    dict: _dict,
    types.MappingProxyType: _dict,
    types.CodeType: lambda code: (read_code(code).text, []),
    types.ModuleType: _module,
    types.FunctionType: _function,
    types.MethodType: lambda value: (
        value.__name__,
        [("its function", value.__func__), ("its instance", value.__self__)],
    ),
    functools.partial: _partial,
    property: lambda value: ("property", [("its function", one) for one in (value.fget, value.fset, value.fdel)]),
    functools.cached_property: lambda value: ("cached property", [("its function", value.func)]),
}
