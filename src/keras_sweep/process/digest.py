"""Compute a digest of a value in a running program, with the functions that the value uses, the same in all processes.

A function's digest covers its source text without comments, layout and docstrings (`source_code.py`), and the values
that the function uses: defaults, variables of the enclosing function, globals and imports. An installed package counts
by its name and version. Other objects are split as `pickle` would split them. A value that can't be split is refused,
since a change of it could not be noticed.
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

# (head, parts): what a value is without its parts, and for each part (its name in messages, the part).
Parts = tuple[Any, list[tuple[str, Any]]]

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
ADDING_METHODS = ("append", "add", "extend", "update")
# Attributes of a class that Python adds: its place, texts, caches, and annotations.
OF_A_CLASS = re.compile(
    r"__(dict|weakref|module|qualname|doc|replace|firstlineno|slotnames|static_attributes|dataclass_params|annot\w+)__|_abc_impl"
)


def compute_digest(value: Any, name: str) -> str:
    """Return the SHA-256 (hex) of a value, which messages call `name`. Raises UsageError if a part can't be hashed."""
    return _Digest([name]).digest(value).hex()


def compute_part_digests(value: Any, name: str) -> dict[str, str]:
    """Return {name of a part: digest} of `value`, which messages call `name`. Raises UsageError as `compute_digest`."""
    walker = _Digest([name])
    walker.digest(value)
    head, parts = walker.split(value)
    return {"what it is": _sha(head).hex(), **{words: walker.digest(part).hex() for words, part in parts}}


class _Digest:
    def __init__(self, path: list[str], known: dict[int, tuple[Any, bytes | int]] | None = None) -> None:
        self.path = path  # in words, from the outside in
        # id -> (object, digest), or (object, level) while the walk is inside the object. This keeps the objects alive,
        # since Python reuses the id of a deleted object.
        self.known = known or {}

    def digest(self, value: Any, words: str | None = None) -> bytes:
        if type(value) in ATOMS:
            return _sha((type(value).__name__, value))
        _, known = self.known.get(id(value), (None, None))
        if known is not None:
            return known if isinstance(known, bytes) else _sha(("levels up", len(self.path) - known))
        self.path += [words] if words else []
        self.known[id(value)] = (value, len(self.path))
        try:
            head, parts = self.split(value)
            digest = _sha(head, *(self.digest(part, inner) for inner, part in parts))
        except UsageError:
            raise
        except Exception as error:  # a type that can't be split may raise anything
            raise self.make_error(value) from error
        self.path = self.path[: -1 if words else None]
        self.known[id(value)] = (value, digest)
        return digest

    def make_error(self, value: Any) -> UsageError:
        name, *place = self.path
        place[1:-3] = []  # keep the name for the user and the last steps
        what = f"a value of type {type(value).__name__}, whose changes can't be detected"
        return UsageError(
            f"`{name}` uses {' of '.join(reversed(place))}: {what}" if place else f"`{name}` is {what}",
            hint="Create it inside the function, or pass in the values it is built from",
        )

    def split(self, value: Any) -> Parts:
        kind = type(value)
        # The order of a set differs between processes, so each element is walked by itself.
        if kind in (set, frozenset):
            apart = (_Digest(list(self.path), dict(self.known)).digest(inner, "an element") for inner in value)
            return ("set", sorted(apart)), []
        if kind in PLAIN:
            return PLAIN[kind](value)
        if (name := _get_installed_name(value)) is not None:
            return name, []
        if isinstance(value, type):
            return _split_class(value)
        if isinstance(value, Enum):
            return "enum", [("its class", kind), ("its value", value.value)]
        # A function inside `lru_cache`, `jax.jit` or `tf.function`.
        if hasattr(value, "__wrapped__") and is_installed(kind.__module__):
            return kind.__name__, [("its function", value.__wrapped__)]
        return (
            _split_keras_tensor(value) or _split_array(value) or _split_keras_object(value) or _split_by_pickle(value)
        )


def _sha(head: Any, *parts: bytes) -> bytes:
    text = head if isinstance(head, bytes) else repr(head).encode(errors="surrogatepass")
    digest = hashlib.sha256(len(text).to_bytes(8, "big"))
    for part in (text, *parts):
        digest.update(part)
    return digest.digest()


def _split_list(value: Any) -> Parts:
    if all(type(inner) in ATOMS for inner in value):
        return (type(value).__name__, value), []
    return (type(value).__name__, len(value)), [(f"item {at}", inner) for at, inner in enumerate(value)]


def _split_dict(value: Any) -> Parts:
    words = [(f"[{key!r:.40}]", part) for item in value.items() for key in item[:1] for part in item]
    return ("dict", len(value)), words


def _split_function(function: types.FunctionType) -> Parts:
    code, defaults = function.__code__, function.__defaults__ or ()
    # Not `__module__`, which a decorator copies from the function that it wraps.
    module = str(function.__globals__.get("__name__"))
    installed = is_installed(module)
    if installed and "<" not in code.co_qualname:
        return (f"{module}.{code.co_qualname}", get_package_version(module)), []
    counts_by_name = installed and code.co_name != "<lambda>"
    code_text = CodeText((module, code.co_qualname)) if counts_by_name else read_code(code)
    defaulted = code.co_varnames[: code.co_argcount][code.co_argcount - len(defaults) :]
    keywords = sorted((function.__kwdefaults__ or {}).items())
    parts: dict[str, Any] = {"its code": code_text.text}
    parts |= {f"the default of `{name}`": value for name, value in [*zip(defaulted, defaults, strict=True), *keywords]}
    parts |= {f"the attribute `{name}`": value for name, value in sorted(vars(function).items())}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            parts |= _select_used(f"the variable `{name}", cell.cell_contents, code_text.chains.get(name, {()}))
    known = {} if installed else function.__globals__
    for name in sorted(name for name in code_text.globals & known.keys() if not name.startswith("__")):
        if not hasattr(builtins, name) or _get_installed_name(known[name]) is None:  # IPython brings its own `open`
            parts |= _select_used(f"the global `{name}", known[name], code_text.chains.get(name, {()}))
    for name, path, attribute in () if installed else sorted(code_text.imports):
        value = _import_value(name, path, attribute, known.get("__package__") or "")
        parts |= _select_used(f"the import `{path}.{attribute}".rstrip("."), value, code_text.chains.get(name) or {()})
    return ("function", list(parts)), list(parts.items())


def _import_value(name: str, path: str, attribute: str, package: str) -> Any:
    """Return what `from path import attribute` imports in `package`, or if `attribute` is "", what `import path`
    imports. `name` is the variable that the import sets. An installed module is replaced by its version, and a module
    whose import fails by the digests of its files."""
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
    except (Exception, SystemExit):  # the call will report it
        return get_module_facts(path)


def _select_used(words: str, value: Any, chains: Chains) -> dict[str, Any]:
    """Return {name for messages: part} of the parts of `value` that a function uses. `words` begins these names.

    `chains` has the attributes that the function reads from `value`: ("random", "rand") for `value.random.rand`. If
    `value` is a user's module, each chain is a part; else `value` is a single part. A container that the function only
    adds to has no part, since its content doesn't change the function.
    """
    used: dict[str, Any] = {}
    if isinstance(value, list | set | dict) and all(chain and chain[0] in ADDING_METHODS for chain in chains):
        return used
    for chain in sorted(chains):
        place, inner = words, value
        for attribute in chain:
            is_own = isinstance(inner, types.ModuleType) and not is_installed(inner.__name__)
            if not is_own or not hasattr(inner, attribute):
                break
            place, inner = f"{place}.{attribute}", getattr(inner, attribute)
        used[f"{place}`"] = inner
    return used


def _split_module(module: types.ModuleType) -> Parts:
    """Split a module that is used as a whole into its files and the current values of its constants."""
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


def _split_partial(value: functools.partial[Any]) -> Parts:
    parts = {"its function": value.func, **{f"argument {at}": inner for at, inner in enumerate(value.args)}}
    parts |= {f"the argument `{name}`": inner for name, inner in value.keywords.items()}
    return ("partial", list(parts)), list(parts.items())


def _get_installed_name(value: Any) -> tuple[str, str] | None:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name or hasattr(value, "__origin__"):
        return None  # it has no name, or is an alias of another type (`list[int]`)
    return (f"{module}.{name}", get_package_version(module)) if is_installed(module) else None


def _split_class(kind: type) -> Parts:
    attributes = {
        name: None if _is_generated(value) else value
        for name, value in sorted(vars(kind).items())
        if not OF_A_CLASS.fullmatch(name)
        and not isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType)
    }
    # Each Python version stores the members of an Enum elsewhere, and adds other methods.
    if issubclass(kind, Enum):
        names = {
            name
            for name in attributes
            if getattr(attributes[name], "__module__", None) == kind.__module__ or name[0] != "_"
        }
        attributes = {name: attributes[name] for name in sorted(names - kind.__members__.keys())}
        attributes["its members"] = {name: member.value for name, member in kind.__members__.items()}
    parts: list[tuple[str, Any]] = [("its base", base) for base in (*kind.__bases__, type(kind))]
    parts += [(f"the attribute `{name}`", value) for name, value in attributes.items()]
    return ("class", kind.__name__, list(attributes)), parts


def _is_generated(method: Any) -> bool:
    """Check whether `dataclasses` or `namedtuple` generated a method from the fields of a class."""
    function = inspect.unwrap(method)
    is_of_dataclass = getattr(getattr(function, "__code__", None), "co_qualname", "").startswith("__create_fn__.")
    is_new = str(getattr(function, "__module__", None)).startswith("namedtuple_")
    return is_of_dataclass or is_new or type(method).__name__ == "_tuplegetter"


def _split_array(value: Any) -> Parts | None:
    """Split an array of any framework or a Keras variable into dtype, shape and bytes. Return None for other values."""
    if not hasattr(type(value), "__array__"):
        return None
    import numpy as np

    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except TypeError:  # a random key of JAX
        return None
    if isinstance(value, np.ma.MaskedArray) or array.dtype.hasobject:  # `pickle` splits it
        return None
    return repr(("array", str(array.dtype), array.shape)).encode() + array.tobytes(), []


def _split_keras_object(value: Any) -> Parts | None:
    if not callable(getattr(value, "get_config", None)) or not hasattr(value, "from_config"):
        return None
    layers = _list_layers(value)
    weights = list(getattr(value, "weights", ())) or [weight for layer in layers[1:] for weight in layer.weights]
    config = _renumber_names(value.get_config(), {})
    parts = [("its type", type(value)), ("its configuration", config), ("its weights", weights)]
    # What `adapt` sets is no weight of these layers, and their configurations lack it.
    names = ("get_vocabulary", "bin_boundaries")
    adapted = [inner for layer in layers for name in names if (inner := getattr(layer, name, None)) is not None]
    adapted = [inner() if callable(inner) else inner for inner in adapted]
    return "of Keras", [*parts, *([("what it has adapted to", adapted)] if adapted else [])]


def _list_layers(value: Any) -> list[Any]:
    """Return a layer with all layers inside it, or a `FeatureSpace` with the layers of its features."""
    inner = [*getattr(value, "layers", ()), *getattr(value, "preprocessors", {}).values()]
    return [value, *(layer for part in inner for layer in _list_layers(part))]


def _split_keras_tensor(value: Any) -> Parts | None:
    """Split a symbolic tensor as the model that computes it from its inputs. Return None for other values."""
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(value, getattr(keras, "KerasTensor", ())):
        return None
    # A name of our own, since Keras counts automatic names.
    return _split_keras_object(keras.Model(keras.utils.get_source_inputs(value), value, name="tensor"))


def _renumber_names(config: Any, names: dict[str, str]) -> Any:
    """Return a Keras `config` with automatic names (`dense_3`) numbered by their order, and with the user's classes.
    Keras counts all earlier layers of a process, so names differ between processes. `names` maps old to new names."""
    if isinstance(config, dict):
        user_class = getattr(sys.modules.get(str(config.get("module"))), str(config.get("class_name")), None)
        inner = {key: _renumber_names(value, names) for key, value in config.items()}
        return {**inner, "its class": user_class} if isinstance(user_class, type) else inner
    if isinstance(config, list | tuple):
        return [_renumber_names(value, names) for value in config]
    if isinstance(config, str):
        return names.setdefault(config, re.sub(r"_\d+$", "", config) + f" {len(names)}")
    return config


def _split_by_pickle(value: Any) -> Parts:
    reduce = copyreg.dispatch_table.get(type(value))
    reduced = reduce(value) if reduce else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return (type(value).__name__, reduced), []
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    parts = [("its class", [make, *arguments])]
    if isinstance(state, dict):
        builds = [getattr(getattr(type(value), name, None), "__code__", None) for name in ("build", "__call__")]
        # Attributes that a call sets are left out: else each call changes the digest.
        set_by_calls = {name for code in builds if code for name in read_code(code).sets}
        kept = {name: inner for name, inner in state.items() if name not in set_by_calls}
        parts += [("names", list(kept)), *((f"the attribute `{name}`", inner) for name, inner in kept.items())]
    else:
        parts.append(("its state", state))
    return "pickled", [*parts, ("its items", [*(items or ()), *(pairs or ())])]


PLAIN: dict[type, Callable[[Any], Parts]] = {
    list: _split_list,
    tuple: _split_list,
    dict: _split_dict,
    types.MappingProxyType: _split_dict,
    types.CodeType: lambda code: (read_code(code).text, []),
    types.ModuleType: _split_module,
    types.FunctionType: _split_function,
    types.MethodType: lambda value: (
        value.__name__,
        [("its function", value.__func__), ("its instance", value.__self__)],
    ),
    functools.partial: _split_partial,
    property: lambda value: ("property", [("its function", method) for method in (value.fget, value.fset, value.fdel)]),
    functools.cached_property: lambda value: ("cached property", [("its function", value.func)]),
}
