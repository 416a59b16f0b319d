"""Load and call a user's code, which a space file names by `python: module:function`, from the folder of the file.

Streams, hooks and working folder are restored after user code. Errors of user code are reported with file and line.
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
from keras_sweep.process.backend import require_backend
from keras_sweep.process.source_code import digest_files, digest_source, find_definition, find_module_file, is_installed
from keras_sweep.process.user_objects import get_object, is_object_name
from keras_sweep.space.text import did_you_mean, strip_styles

_PRESERVED = ((sys, "stderr"), (sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))

FUNCTION_HINT = "Name a function in a module beside the space file, or in an installed package"


def load_python(source: str, folder: Path, error: type[UsageError] = UsageError) -> object:
    """Import the object that `source` names ("module:function", dots allowed on both sides) from `folder`.

    The folder stays first in `sys.path`, as for a script, since a function may import modules of the folder when it is
    called. Objects of Python itself (`os:system`) are refused, even if a user's module imports them. Raises `error` if
    `source` has another form or names nothing, or if the import fails. The message has the failing line.
    """
    if is_object_name(source):
        return get_object(source, error)
    module_name, colon, attribute = source.partition(":")
    names = [*module_name.split("."), *attribute.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        raise error(f"`python` must be `module:function`, but got {source!r}", hint="For example `my_model:build`")
    if is_standard_module(module_name, folder):
        raise error(f"`python: {source}` must name your own function, not a module of Python", hint=FUNCTION_HINT)
    loaded: object = _import_module(module_name, folder.resolve(), source, error)
    for name in attribute.split("."):
        try:
            loaded = getattr(loaded, name)
        except AttributeError:
            place = getattr(loaded, "__file__", None) or module_name
            near = did_you_mean(name, [known for known in dir(loaded) if not known.startswith("_")])
            raise error(f"`python: {source}`: {place} has no `{name}`", hint=near) from None
    if callable(loaded) and _is_from_python(loaded, folder.resolve()):
        raise error(f"`python: {source}` must name your own function, not a function of Python", hint=FUNCTION_HINT)
    return loaded


def is_standard_module(module_name: str, folder: Path) -> bool:
    """Check whether a module belongs to Python and not to the folder. Imports nothing."""
    return module_name.split(".")[0] in sys.stdlib_module_names and _find_module_file(folder, module_name) is None


def place_of(source: str, folder: Path) -> str:
    """Return the file or folder from which `source` ("module:function") would be imported. Imports nothing."""
    module_name = source.partition(":")[0]
    place = folder / module_name.split(".")[0]
    return str(_find_module_file(folder, module_name) or (not place.is_dir() and find_module_file(place.name)) or place)


def describe_user_error(fault: BaseException, folder: Path) -> str:
    """Describe an exception as "file:line: Type: message", with the innermost line of user code in `folder`, if any."""
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{fault.filename}:{fault.lineno}: {type(fault).__name__}: {fault.msg}"
    root = folder.resolve()
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        file = Path(frame.filename).resolve()
        if root in file.parents and not {"site-packages", "dist-packages"} & set(file.parts):
            return f"{frame.filename}:{frame.lineno}: {describe_error(fault)}"
    return describe_error(fault)


def describe_error(fault: BaseException) -> str:
    """Describe an exception as a line "Type: message", without text that Keras or TensorFlow adds to the message."""
    message = strip_styles(str(fault)).strip()
    # Keras puts paragraphs around the error of a layer.
    if message.startswith("Exception encountered when calling "):
        message = message.split("\n\n", 1)[-1].split("\n\nArguments received by ")[0]
    # TensorFlow puts all frames of the graph before the error.
    if message.startswith("Graph execution error:"):
        frames = ("Graph execution error:", "Detected at node ", "  File ", "\t [[")
        message = "\n".join(line for line in message.splitlines() if not line.startswith(frames))
    return f"{type(fault).__name__}: {' '.join(message.split())}".removesuffix(": ")


def _import_module(name: str, folder: Path, source: str, error: type[UsageError]) -> ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    file = _find_module_file(folder, name) if "." not in name else None
    with guard_user_code(f"`python: {source}`: importing {name!r} failed", folder, error):
        try:
            module = importlib.import_module(name) if file is None else _import_file(name, file)
            note_modules()
            return module
        except ModuleNotFoundError as fault:
            if fault.name and f"{name}.".startswith(f"{fault.name}."):
                raise error(
                    f"`python: {source}`: there is no module {fault.name!r}",
                    hint=f"Put it into {folder}, or install its package",
                ) from None
            raise


# Module name -> digest of its file at the import; "" for modules that are not the user's.
_imported_digests: dict[str, str] = {}


def note_modules() -> None:
    """Remember the file digests of modules imported since the last call, for `forget_edited_modules`."""
    for name in sys.modules.keys() - _imported_digests.keys():
        _imported_digests[name] = digest_source(_find_user_file(name))


def forget_edited_modules(sources: Iterable[str] | None = None, folder: Path = Path()) -> None:
    """Remove edited user modules, and modules that use them, from `sys.modules`: the next import reads the new code.

    `sources` ("module:function" in `folder`) limit this to modules that they use. None: all modules of `note_modules`.
    """
    folder = folder.resolve()
    names = {source.partition(":")[0] for source in sources or () if not is_object_name(source)}
    reached = {folder / file for name in names for file in digest_files(name, folder)}
    files = {
        name: path
        for name in list(_imported_digests if sources is None else sys.modules)
        if (path := _find_user_file(name)) and (sources is None or path in reached)
    }
    edited = {path for name, path in files.items() if _is_edited(name, path)}
    for name, path in files.items():
        if edited and edited & _list_code_files(name, path):
            parent, _, last = name.rpartition(".")  # else `from parent import last` finds the old module
            vars(sys.modules.get(parent, ModuleType(""))).pop(last, None)
            del sys.modules[name], _imported_digests[name]
            with contextlib.suppress(OSError):  # the bytecode cache misses an edit within a second that keeps the size
                Path(importlib.util.cache_from_source(str(path))).unlink()
    importlib.invalidate_caches()


def _find_user_file(name: str) -> Path | None:
    file = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
    return None if not isinstance(file, str) or name == "__main__" or is_installed(name) else Path(file).resolve()


def _list_code_files(name: str, path: Path) -> set[Path]:
    parts = name.partition("@")[0].split(".")
    roots = [*path.parents][len(parts) - (path.name != "__init__.py") :][:1]
    return {root / file for root in roots for file in digest_files(".".join(parts), root)}


def _is_edited(name: str, path: Path) -> bool:
    """Check whether a module's file has changed since the import. Without an old digest, compare functions' code."""
    if name not in _imported_digests:
        codes = [value.__code__ for value in vars(sys.modules[name]).values() if inspect.isfunction(value)]
        codes = [code for code in codes if Path(code.co_filename).resolve() == path]
        _imported_digests[name] = digest_source(path)
        return any(find_definition(path.read_bytes(), code) is None for code in codes)
    return _imported_digests[name] != digest_source(path)


def _find_module_file(folder: Path, module_name: str) -> Path | None:
    top = module_name.split(".")[0]
    return next((path for path in (folder / f"{top}.py", folder / top / "__init__.py") if path.is_file()), None)


def _import_file(name: str, file: Path) -> ModuleType:
    """Import a module from a file, even if another module of this name was imported from elsewhere."""
    existing = sys.modules.get(name)
    if existing is not None and Path(getattr(existing, "__file__", None) or "").resolve() != file.resolve():
        # A separate name, so that the other module stays as it is.
        name = f"{name}@{file}"
        existing = sys.modules.get(name)
    if existing is not None:
        return existing
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    # The import system does this, too, since a module may look itself up while it runs.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_from_python(loaded: object, folder: Path) -> bool:
    """Check whether the standard library or a built-in module defines an object. A `partial` counts as its function."""
    while isinstance(loaded, functools.partial):
        loaded = loaded.func
    name = getattr(loaded, "__module__", None) or type(loaded).__module__
    if str(name).split(".")[0] not in sys.stdlib_module_names:
        return False
    # A user's module may have the name of a standard module.
    file = getattr(sys.modules.get(str(name)), "__file__", None)
    return file is None or folder not in Path(file).resolve().parents


def select_accepted(function: Callable[..., Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items of `facts` (argument name -> value) whose names are parameters of the function."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in callables have none
        return {}
    return {name: value for name, value in facts.items() if name in parameters}


@contextmanager
def guard_user_code(what: str, folder: Path, error: type[UsageError], *, hint: str | None = None) -> Iterator[None]:
    """Turn an exception of user code inside the block, also `sys.exit`, into `error`: "WHAT: file:line: Type: message".
    The line is the innermost line of code in `folder`. A SweepError and Ctrl-C are raised as they are. If the code
    needs TensorFlow, which is not installed, this raises MissingPackage."""
    with preserve_process():
        try:
            yield
        except SweepError:  # it is clear already
            raise
        except user_errors() as fault:
            message = f"{what}: {describe_user_error(fault, folder)}"
            if isinstance(fault, ImportError) and "tensorflow" in str(fault).lower():
                require_backend("tensorflow", f": {message}")
            raise error(message, hint=hint) from fault


def user_errors() -> tuple[type[BaseException], ...]:
    """Return the exceptions that user code may raise, for `except user_errors()`: all but Ctrl-C."""
    # While a sweep runs, Ctrl-C raises nothing, so the user's code has raised a KeyboardInterrupt.
    can_be_ctrl_c = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return (Exception, SystemExit) if can_be_ctrl_c else (Exception, SystemExit, KeyboardInterrupt)


@contextmanager
def preserve_process() -> Iterator[None]:
    """Send prints inside the block to stderr. Afterwards restore error hooks, warning filters and working folder."""
    saved = [(holder, name, getattr(holder, name)) for holder, name in _PRESERVED]
    filters = list(warnings.filters)
    folder = None
    with contextlib.suppress(OSError):  # it may be gone
        folder = os.getcwd()  # noqa: PTH109
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for holder, name, value in saved:
            setattr(holder, name, value)
        # Filters that silence warnings stay. Filters that raise would also hit warnings of Keras and of this package.
        added = [entry for entry in warnings.filters if entry not in filters and entry[0] != "error"]
        warnings.filters[:] = [*added, *filters]  # type: ignore[index]
        if folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(folder)
