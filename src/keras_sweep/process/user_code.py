"""A user's own code: loaded by `python: module:function` from beside the space file, and called.

The process is left as it was; what the code raises is told with its place.
"""

import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_sweep.errors import SweepError, UsageError
from keras_sweep.process.source_code import digest_files, digest_source, find_definition, find_module_file, is_installed
from keras_sweep.process.user_objects import get_object, is_object_name
from keras_sweep.space.text import did_you_mean, strip_styles

_HELD = ((sys, "stderr"), (sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))

WHOSE = "Name a function in a module beside the space file, or in a package that is installed"


def load_python(source: str, folder: Path, error: type[UsageError] = UsageError) -> object:
    """The object that `source` ("module:function", dots allowed on both sides) names, imported from `folder`.

    As for a script in that folder, its modules come first, for good: a function may import its neighbours when it is
    called. What Python itself brings (`os:system`) is refused, also where a module of the user's passes it on.

    Raises `error`: the source is not of that form or names nothing, or the import raises, which is told with its line.
    """
    if is_object_name(source):
        return get_object(source, error)
    module_name, colon, attribute = source.partition(":")
    names = [*module_name.split("."), *attribute.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        raise error(f"`python` must be `module:function`, but got {source!r}", hint="as in `python: my_model:build`")
    if is_standard_module(module_name, folder):
        raise error(f"`python: {source}`: {module_name!r} is Python's own, no module of yours", hint=WHOSE)
    found: object = _module(module_name, folder.resolve(), source, error)
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            place = getattr(found, "__file__", None) or module_name
            near = did_you_mean(name, [known for known in dir(found) if not known.startswith("_")])
            raise error(f"`python: {source}`: {place} has no `{name}`", hint=near) from None
    if callable(found) and _made_by_python(found, folder.resolve()):
        raise error(f"`python: {source}` is Python's own, no function of yours", hint=WHOSE)
    return found


def is_standard_module(module_name: str, folder: Path) -> bool:
    """Whether it is a module of the standard library, and none of that name lies in the folder. Nothing is imported."""
    return module_name.split(".")[0] in sys.stdlib_module_names and _file_in(folder, module_name) is None


def place_of(source: str, folder: Path) -> str:
    """The file, or the installed package's, that `source` would be imported from. Nothing is imported."""
    module_name = source.partition(":")[0]
    place = folder / module_name.split(".")[0]
    return str(_file_in(folder, module_name) or (not place.is_dir() and find_module_file(place.name)) or place)


def describe_user_error(fault: BaseException, folder: Path) -> str:
    """An exception as "file:line: Type: message", with its place in the folder, if any; a `.venv` does not count."""
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{fault.filename}:{fault.lineno}: {type(fault).__name__}: {fault.msg}"
    root = folder.resolve()
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        file = Path(frame.filename).resolve()
        if root in file.parents and not {"site-packages", "dist-packages"} & set(file.parts):
            return f"{frame.filename}:{frame.lineno}: {describe_error(fault)}"
    return describe_error(fault)


def describe_error(fault: BaseException) -> str:
    """An exception in one line, "Type: message", without what Keras and TensorFlow put around the message."""
    said = strip_styles(str(fault)).strip()
    if said.startswith("Exception encountered when calling "):  # Keras frames what a layer raised by three paragraphs
        said = said.split("\n\n", 1)[-1].split("\n\nArguments received by ")[0]
    if said.startswith("Graph execution error:"):  # where in the graph, by all of its frames, and only then what
        frames = ("Graph execution error:", "Detected at node ", "  File ", "\t [[")
        said = "\n".join(line for line in said.splitlines() if not line.startswith(frames))
    return f"{type(fault).__name__}: {' '.join(said.split())}".removesuffix(": ")


def _module(name: str, folder: Path, source: str, error: type[UsageError]) -> ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    file = _file_in(folder, name) if "." not in name else None
    with guard_user_code(f"`python: {source}`: importing {name!r} failed", folder, error):
        try:
            module = importlib.import_module(name) if file is None else _from_file(name, file)
            note_modules()
            return module
        except ModuleNotFoundError as fault:
            if fault.name and f"{name}.".startswith(f"{fault.name}."):
                hint = f"modules are looked for in {folder} and in the Python environment"
                raise error(f"`python: {source}`: there is no module {fault.name!r}", hint=hint) from None
            raise


_as_imported: dict[str, str] = {}  # the digest of each module's file at its import; "" for modules not the user's


def note_modules() -> None:
    """Note the files of modules that were imported since the last call, for `forget_edited_modules`."""
    for name in sys.modules.keys() - _as_imported.keys():
        _as_imported[name] = digest_source(_own_file(name))


def forget_edited_modules(sources: Iterable[str] | None = None, folder: Path = Path()) -> None:
    """Have edited modules, and those that import them, imported again: those that the sources reach, or all noted."""
    folder = folder.resolve()
    names = {source.partition(":")[0] for source in sources or () if not is_object_name(source)}
    reached = {folder / file for name in names for file in digest_files(name, folder)}
    files = {name: path for name in list(_as_imported if sources is None else sys.modules) if (path := _own_file(name))}
    files = {name: path for name, path in files.items() if sources is None or path in reached}
    edited = {path for name, path in files.items() if _is_edited(name, path)}
    for name, path in files.items():
        if edited and edited & _files_behind(name, path):
            parent, _, last = name.rpartition(".")  # or `from parent import last` gives the former
            vars(sys.modules.get(parent, ModuleType(""))).pop(last, None)
            del sys.modules[name], _as_imported[name]
            with contextlib.suppress(OSError):  # which knows an edit by its second and its size
                Path(importlib.util.cache_from_source(str(path))).unlink()
    importlib.invalidate_caches()


def _own_file(name: str) -> Path | None:
    file = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
    if not isinstance(file, str) or name == "__main__" or is_installed(name):
        return None
    return Path(file).resolve()


def _files_behind(name: str, path: Path) -> set[Path]:
    parts = name.partition("@")[0].split(".")
    roots = [*path.parents][len(parts) - (path.name != "__init__.py") :][:1]
    return {root / file for root in roots for file in digest_files(".".join(parts), root)}


def _is_edited(name: str, path: Path) -> bool:
    """Whether the file has another text than at its import; before it is noted, its functions tell."""
    if name not in _as_imported:
        codes = [value.__code__ for value in vars(sys.modules[name]).values() if inspect.isfunction(value)]
        codes = [code for code in codes if Path(code.co_filename).resolve() == path]
        _as_imported[name] = digest_source(path)
        return any(find_definition(path.read_bytes(), code) is None for code in codes)
    return _as_imported[name] != digest_source(path)


def _file_in(folder: Path, module_name: str) -> Path | None:
    """The file in the folder by which the module, or the package that it is in, begins; None where there is none."""
    top = module_name.split(".")[0]
    return next((path for path in (folder / f"{top}.py", folder / top / "__init__.py") if path.is_file()), None)


def _from_file(name: str, file: Path) -> ModuleType:
    """The module of that file, even where another module of that name was imported from elsewhere."""
    held = sys.modules.get(name)
    if held is not None and Path(getattr(held, "__file__", None) or "").resolve() != file.resolve():
        name = f"{name}@{file}"  # a name of its own: the other module stays what it is for whoever imported it
        held = sys.modules.get(name)
    if held is not None:
        return held
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as the import system does: a module may look itself up while it runs
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _made_by_python(found: object, folder: Path) -> bool:
    """Whether it was defined in the standard library, or in C; a `partial` counts as what it calls."""
    while isinstance(found, functools.partial):
        found = found.func
    name = getattr(found, "__module__", None) or type(found).__module__
    if str(name).split(".")[0] not in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(str(name)), "__file__", None)  # a module of the user's may bear the name of Python's
    return file is None or folder not in Path(file).resolve().parents


def select_accepted(function: Callable[..., Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the facts that the function has a parameter for."""
    try:
        wanted = inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in callables have none
        return {}
    return {name: value for name, value in facts.items() if name in wanted}


@contextmanager
def guard_user_code(what: str, folder: Path, error: type[UsageError], *, hint: str | None = None) -> Iterator[None]:
    """Inside, a user's code runs. Whatever it raises, `sys.exit` too, becomes `error`: "WHAT: file:line: message"."""
    with preserve_process():
        try:
            yield
        except BaseException as fault:
            if isinstance(fault, SweepError) or not is_user_error(fault):  # a signal's, or one that says it all
                raise
            raise error(f"{what}: {describe_user_error(fault, folder)}", hint=hint) from fault


def is_user_error(fault: BaseException) -> bool:
    """Whether user code raised it, and not the user at the keyboard."""
    if isinstance(fault, KeyboardInterrupt):  # while a sweep runs, Ctrl-C is handled otherwise
        return signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    return isinstance(fault, Exception | SystemExit)


@contextmanager
def preserve_process() -> Iterator[None]:
    """Prints go to stderr inside, since stdout carries the answer; what code may change for good is put back."""
    held = [(holder, name, getattr(holder, name)) for holder, name in _HELD]
    filters = list(warnings.filters)
    folder = None
    with contextlib.suppress(OSError):  # it may be gone
        folder = os.getcwd()  # noqa: PTH109
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for holder, name, value in held:
            setattr(holder, name, value)
        # Filters that silence stay; those that raise would meet warnings of Keras and of ours.
        added = [one for one in warnings.filters if one not in filters and one[0] != "error"]
        warnings.filters[:] = [*added, *filters]  # type: ignore[index]
        if folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(folder)
