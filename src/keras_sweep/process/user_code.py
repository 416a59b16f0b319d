"""Loads what a space file names by `python: module:function`: an object in a module beside the file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from keras_sweep.errors import UsageError


def load_python(source: str, folder: Path, error: type[UsageError] = UsageError) -> object:
    """The object that `source` ("module:function", dots allowed on both sides) names, imported from `folder`.

    As for a script in that folder, its modules come first: the folder is put at the front of `sys.path` and stays
    there, since a user's function may import its neighbours when it is called. A module that was imported before is
    not run again.

    Raises `error` where the source is not of that form, the module or the attribute is missing, or the import raises;
    the message then names the user's file and line.
    """
    module_name, colon, attribute = source.partition(":")
    names = [*module_name.split("."), *attribute.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        raise error(f"`python` must be `module:function`, but got {source!r}", hint="as in `python: my_model:build`")
    found: object = _module(module_name, folder.resolve(), source, error)
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            place = getattr(found, "__file__", None) or module_name
            raise error(f"`python: {source}`: {place} has no `{name}`", hint=_near(name, found)) from None
    return found


def user_place(fault: BaseException, folder: Path) -> str:
    """Where in the user's folder an exception arose, as "file:line: Type: message"; without the place if outside."""
    what = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{fault.filename}:{fault.lineno}: {type(fault).__name__}: {fault.msg}"
    root = folder.resolve()
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        if root in Path(frame.filename).resolve().parents:
            return f"{frame.filename}:{frame.lineno}: {what}"
    return what


def _module(name: str, folder: Path, source: str, error: type[UsageError]) -> ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    try:
        file = next((path for path in (folder / f"{name}.py", folder / name / "__init__.py") if path.is_file()), None)
        return importlib.import_module(name) if file is None else _from_file(name, file)
    except (Exception, SystemExit) as fault:
        if isinstance(fault, ModuleNotFoundError) and fault.name and f"{name}.".startswith(f"{fault.name}."):
            hint = f"modules are looked for in {folder} and in the Python environment"
            raise error(f"`python: {source}`: there is no module {fault.name!r}", hint=hint) from None
        raise error(f"`python: {source}`: importing {name!r} failed: {user_place(fault, folder)}") from fault


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


def _near(name: str, holder: object) -> str | None:
    import difflib

    near = difflib.get_close_matches(name, [known for known in dir(holder) if not known.startswith("_")], n=1)
    return f"did you mean `{near[0]}`?" if near else None
