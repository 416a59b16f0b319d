"""A digest of a value of a running program, of functions and all that they reach, which is the same in every process.

A function is its byte code, so comments and line numbers do not count, and what it uses: defaults, variables of the
function around it, and the globals that it reads, each by its own digest. What an installed package brings is its name
and that package's version. All else is taken apart as `pickle` would, and what can't be is refused: a changed one could
not be told from it.
"""

import contextlib
import copyreg
import dis
import functools
import hashlib
import importlib.util
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from keras_sweep.errors import UsageError
from keras_sweep.process.code_files import is_installed, module_facts, version_of

Apart = tuple[Any, list[tuple[str, Any]]]  # what a value is by itself; its parts, each with what messages call it

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
READS_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
READS_OUTER = ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")  # variables of the function around it
WRITES = ("STORE_GLOBAL", "STORE_DEREF", "STORE_NAME")
TAKES = ("LOAD_ATTR", "LOAD_METHOD")
NOTES = ("append", "add", "extend", "update")
# What Python keeps of a class beside what stands in it: where it stands, caches, and annotations.
OF_A_CLASS = re.compile(
    r"__(dict|weakref|module|qualname|firstlineno|slotnames|static_attributes|annot\w+)__|_abc_impl"
)


def digest_of(value: Any, name: str) -> str:
    """SHA-256 (hex) of a value, which messages call by that name. Raises UsageError where it has none."""
    return _Digest([name]).of(value).hex()


def digests_of_parts(value: Any, name: str) -> dict[str, str]:
    """What a value is made of, in words, each with its digest: by it a change can be named. Raises as `digest_of`."""
    digest = _Digest([name])
    digest.of(value)
    head, parts = digest.taken_apart(value)
    return {"what it is": _sha(head).hex(), **{words: digest.of(part).hex() for words, part in parts}}


class _Digest:
    """One walk over all that a value reaches."""

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
        what = f"a value of type {type(value).__name__}, which has no digest, so a changed one could not be told"
        return UsageError(
            f"`{name}` uses {' of '.join(reversed(place[-4:]))}: {what}" if place else f"`{name}` is {what}",
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


def _code(code: CodeType) -> Apart:
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    steps = _steps(code)
    constants = [("a constant", step.argval) for step in steps if step.opcode in dis.hasconst]
    done = [(step.opname, None if step.opcode in dis.hasconst else step.arg) for step in steps]
    return ("code", done, code.co_exceptiontable, names, counts), constants


def _function(function: FunctionType) -> Apart:
    code, defaults = function.__code__, function.__defaults__ or ()
    module = str(function.__globals__.get("__name__"))  # `__module__` is, of a decorator's function, what it decorates
    installed = is_installed(module)
    if installed and "<" not in code.co_qualname:
        return (f"{module}.{code.co_qualname}", version_of(module)), []
    known = {} if installed else function.__globals__
    named = code.co_varnames[: code.co_argcount][code.co_argcount - len(defaults) :]
    given = [*zip(named, defaults, strict=True), *sorted((function.__kwdefaults__ or {}).items())]
    parts: dict[str, Any] = {"its code": code}
    parts |= {f"the default of `{name}`": value for name, value in given}
    parts |= {f"the attribute `{name}`": value for name, value in sorted(vars(function).items())}
    outer = _reads(code, READS_OUTER)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            if name in outer and not _is_note(cell.cell_contents, outer[name]):
                parts[f"the variable `{name}`"] = cell.cell_contents
    for name, uses in sorted(_reads(code, READS_GLOBAL).items()):
        if name in known and not name.startswith("__") and not _is_note(known[name], uses):
            for attributes in sorted(uses):
                place, inner = _reached(name, known[name], attributes)
                parts[f"the global `{place}`"] = inner
    modules = [] if installed else sorted(_imports(code, known.get("__package__") or ""))
    return ("function", list(parts), [module_facts(name) for name in modules]), list(parts.items())


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
    return f"{module}.{name}", version_of(module)


def _class(kind: type) -> Apart:
    own = {
        name: value
        for name, value in sorted(vars(kind).items())
        if not OF_A_CLASS.fullmatch(name) and not isinstance(value, GetSetDescriptorType | MemberDescriptorType)
    }
    parts = [("its base", base) for base in (*kind.__bases__, type(kind))]
    parts += [(f"the attribute `{name}`", value) for name, value in own.items()]
    return ("class", kind.__name__, list(own)), parts


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
        steps = [step for code in builds if code for step in _steps(code)]
        own = {step.argval for step in steps if step.opname == "STORE_ATTR"}  # else each call would change the digest
        held = {name: inner for name, inner in state.items() if name not in own}
        parts += [("names", list(held)), *((f"the attribute `{name}`", inner) for name, inner in held.items())]
    else:
        parts.append(("its state", state))
    return "pickled", [*parts, ("its items", [*(items or ()), *(pairs or ())])]


PLAIN: dict[type, Callable[[Any], Apart]] = {
    list: _list,
    tuple: _list,
    dict: _dict,
    MappingProxyType: _dict,
    CodeType: _code,
    ModuleType: lambda module: (module_facts(module.__name__), []),
    FunctionType: _function,
    MethodType: lambda value: (value.__name__, [("its function", value.__func__), ("its instance", value.__self__)]),
    functools.partial: _partial,
    property: lambda value: ("property", [("its function", one) for one in (value.fget, value.fset, value.fdel)]),
    functools.cached_property: lambda value: ("cached property", [("its function", value.func)]),
}


def _steps(code: CodeType) -> list[dis.Instruction]:
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    # Python 3.13 writes into the body of a class on which line it begins, and which attributes its methods set, in any
    # order: the constants before these two names do not count.
    named = {at for at, step in enumerate(steps) if step.argval in ("__firstlineno__", "__static_attributes__")}
    return [step for at, step in enumerate(steps) if at + 1 not in named]


def _blocks(code: CodeType) -> Iterator[list[dis.Instruction]]:
    """The steps of a function, and of each function and class inside of it."""
    yield _steps(code)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _blocks(inner)


def _reads(code: CodeType, instructions: tuple[str, ...]) -> dict[str, set[tuple[str, ...]]]:
    """The names that a function, and those inside of it, read so; each with the attributes that are taken of it.

    A name that a function also sets is state of its own, which was not given to it.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for steps in _blocks(code):
        own = {step.argval for step in steps if step.opname in WRITES}
        for at, step in enumerate(steps):
            if step.opname in instructions and step.argval not in own:
                following = itertools.takewhile(lambda one: one.opname in TAKES, steps[at + 1 : at + 9])
                found.setdefault(step.argval, set()).add(tuple(one.argval for one in following))
    return found


def _imports(code: CodeType, package: str) -> set[str]:
    """The modules that a function, and those inside of it, import when they run, and what they import from these."""
    found = set()
    for steps in _blocks(code):
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opname == "IMPORT_NAME":
                with contextlib.suppress(ImportError):  # the call tells
                    module = importlib.util.resolve_name("." * level.argval + step.argval, package)
                    found |= {module, *(f"{module}.{name}" for name in names.argval or ())}  # which may be modules, too
    return found


def _reached(name: str, value: Any, attributes: tuple[str, ...]) -> tuple[str, Any]:
    """What `name.a.b` is, as far as it leads through modules of the user's: of these counts alone what is used."""
    for attribute in attributes:
        if not isinstance(value, ModuleType) or is_installed(value.__name__) or not hasattr(value, attribute):
            break
        name, value = f"{name}.{attribute}", getattr(value, attribute)
    return name, value


def _is_note(value: Any, uses: set[tuple[str, ...]]) -> bool:
    """Whether it is a list or the like that is only added to, which changes nothing."""
    return isinstance(value, list | set | dict) and all(attributes and attributes[0] in NOTES for attributes in uses)
