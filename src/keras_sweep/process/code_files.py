"""Whose code a module is, told without importing it: an installed package's of a version, or the user's own files."""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STANDARD = Path(sysconfig.get_path("stdlib"))


def module_facts(name: str) -> Any:
    """What tells a module from a changed one: the version of its package, or the files of the user's own."""
    place = file_of(name.partition(".")[0])
    if place is None or is_installed(name):
        return name, version_of(name)
    return name, code_files(name, place.parents[place.name == "__init__.py"])


def is_installed(module: str) -> bool:
    """Whether a module is of Python or of an installed package, and none of the user's own."""
    top = module.partition(".")[0]
    if top in ("keras_sweep", "__main__"):
        return top == "keras_sweep"
    place = file_of(module)
    if place is None:
        return top in sys.stdlib_module_names
    return bool({"site-packages", "dist-packages"} & set(place.parts)) or STANDARD in place.parents


def file_of(module: str) -> Path | None:
    """The file of a module, or of the package that it is in; it is not imported for that."""
    if file := getattr(sys.modules.get(module), "__file__", None):
        return Path(file)
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module.partition(".")[0])
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)), "__init__.py")
        return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
    return None


def version_of(module: str) -> str:
    """That of the installed package which a module is of; "" for Python's own."""
    return _version(module.partition(".")[0])


@functools.cache
def _version(package: str) -> str:
    if package in sys.stdlib_module_names:
        return ""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return ",".join(map(version, packages_distributions().get(package, ())))  # which takes a second


def code_files(module: str, folder: Path) -> dict[str, str]:
    """The files of a module of that folder and of all that they import from there, each with its SHA-256 (hex).

    Comments and the layout do not count. Empty for a module that does not lie in the folder.
    """
    waiting = list(_files_of(module.split("."), folder))
    found: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        name = path.relative_to(folder).as_posix()
        if name not in found:
            with contextlib.suppress(OSError):  # the import of it tells
                found[name], imports = _read(path.read_bytes())
                waiting.extend(_imported(imports, path, folder))
    return dict(sorted(found.items()))


@functools.lru_cache(1024)
def _read(source: bytes) -> tuple[str, list[ast.Import | ast.ImportFrom]]:
    """The digest of a file, and its imports."""
    try:
        tree = ast.parse(source)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        return hashlib.sha256(ast.unparse(tree).encode(errors="surrogatepass")).hexdigest(), imports
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the import of it tells
        return hashlib.sha256(source).hexdigest(), []


def source_digest(path: Path | None) -> str:
    """The digest of a file without its comments and layout; "" if there is no file."""
    with contextlib.suppress(OSError):
        return _read(path.read_bytes())[0] if path is not None else ""
    return ""


def _files_of(parts: list[str], folder: Path) -> Iterator[Path]:
    """The files that importing `a.b.c` reads, as far as they lie in the folder."""
    place = folder
    for part in parts:
        if (file := place / f"{part}.py").is_file():
            yield file
            return
        place = place / part
        if (file := place / "__init__.py").is_file():
            yield file


def _imported(imports: list[ast.Import | ast.ImportFrom], path: Path, folder: Path) -> Iterator[Path]:
    package = list(path.parent.relative_to(folder).parts)
    for node in imports:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _files_of(name.name.split("."), folder)
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from _files_of(module, folder)
            for name in node.names:  # which may be a module, too
                yield from _files_of([*module, name.name], folder)
