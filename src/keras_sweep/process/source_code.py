"""A user's code as text: the files of a module, without importing it, and the names that a function reaches by.

A text belongs to a function that it compiles to, since a file may change after its import. A function without a text,
as after `exec` or `python -c`, counts by its byte code.
"""

import __future__

import ast
import contextlib
import dis
import functools
import hashlib
import importlib.util
import linecache
import symtable
import sys
import sysconfig
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

STANDARD = Path(sysconfig.get_path("stdlib"))
Chains = set[tuple[str, ...]]  # the attributes that are read of a name: of `np` in `np.random.rand` ("random", "rand")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def get_module_facts(name: str) -> Any:
    """What tells a module from a changed one: the version of its package, or the files of the user's own."""
    place = find_module_file(name.partition(".")[0])
    if place is None or is_installed(name):
        return name, get_package_version(name)
    return name, digest_files(name, place.parents[place.name == "__init__.py"])


def is_installed(module: str) -> bool:
    """Whether a module is of Python or of an installed package, and none of the user's own."""
    top = module.partition(".")[0]
    if top in ("keras_sweep", "__main__"):
        return top == "keras_sweep"
    place = find_module_file(module)
    if place is None:
        return top in sys.stdlib_module_names
    return bool({"site-packages", "dist-packages"} & set(place.parts)) or STANDARD in place.parents


def find_module_file(module: str) -> Path | None:
    """The file of a module, or of the package that it is in; it is not imported for that."""
    if file := getattr(sys.modules.get(module), "__file__", None):
        return Path(file)
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module.partition(".")[0])
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)), "__init__.py")
        return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
    return None


def get_package_version(module: str) -> str:
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


def digest_files(module: str, folder: Path) -> dict[str, str]:
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
                found[name], imports = _read_source(path.read_bytes())
                waiting.extend(_imported(imports, path, folder))
    return dict(sorted(found.items()))


@functools.lru_cache(1024)
def _read_source(source: bytes) -> tuple[str, list[ast.Import | ast.ImportFrom]]:
    try:
        tree = ast.parse(source)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        return hashlib.sha256(ast.unparse(tree).encode(errors="surrogatepass")).hexdigest(), imports
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the import of it tells
        return hashlib.sha256(source).hexdigest(), []


def digest_source(path: Path | None) -> str:
    """The digest of a file without its comments and layout; "" if there is no file."""
    with contextlib.suppress(OSError):
        return _read_source(path.read_bytes())[0] if path is not None else ""
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


@dataclass
class CodeText:
    """The text and the names of a function, with the functions inside it."""

    text: Any
    globals: set[str] = field(default_factory=set)  # names that it reads from its module
    chains: dict[str, Chains] = field(default_factory=dict)  # of names that it reads; empty if it sets them, too
    imports: set[tuple[str, str, str]] = field(default_factory=set)  # name, module, and attribute of the module
    sets: set[str] = field(default_factory=set)  # attributes, of whatever object, that it sets


TEXTS: dict[CodeType, CodeText] = {}  # a later edit of a file changes nothing


def read_code(code: CodeType) -> CodeText:
    """Read the text of a function's code, once."""
    for _ in range(2):
        if code in TEXTS:
            return TEXTS[code]
        if definition := find_definition("".join(linecache.getlines(code.co_filename)), code):
            TEXTS[code] = _read_definition(definition, code.co_freevars)
        linecache.checkcache(code.co_filename)
    return TEXTS.get(code) or TEXTS.setdefault(code, _read_byte_code(code))


def find_definition(text: str | bytes, code: CodeType) -> Definition | None:
    """Find the definition from which the code was compiled; None if the code is of another text."""
    try:
        return _definitions(text, code.co_flags & __future__.annotations.compiler_flag).get(_without_lines(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@functools.lru_cache(16)
def _definitions(text: str | bytes, flags: int) -> dict[CodeType, Definition]:
    """Map each code in a text to its definition, without docstrings.

    A notebook compiles each statement alone, which may give other codes than the whole.
    """
    tree, flags = ast.parse(text), flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    units = [tree, *(ast.Module([statement], []) for statement in tree.body)]
    codes = [code for unit in units for code in _codes(compile(unit, "", "exec", flags, dont_inherit=True))]
    places: dict[Any, Definition] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            places["<lambda>", node.body.lineno, node.body.col_offset] = node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            places[node.name, min(part.lineno for part in (node, *node.decorator_list))] = node
        if isinstance(body := getattr(node, "body", None), list):
            texts = [part for part in body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)]
            body[:] = [part for part in body if part not in texts] or [ast.Pass()]
    return {_without_lines(code): places[place] for code in codes if (place := _place(code)) in places}


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _without_lines(code: CodeType) -> CodeType:
    constants = tuple(_without_lines(inner) if isinstance(inner, CodeType) else inner for inner in code.co_consts)
    return code.replace(co_firstlineno=1, co_linetable=b"", co_consts=constants)


def _place(code: CodeType) -> Any:
    """Where the definition of a code begins; of a lambda its body, since a line may have several."""
    if code.co_name != "<lambda>":
        return code.co_name, code.co_firstlineno
    places = [(line, column) for line, _, column, end in code.co_positions() if line is not None and column != end]
    return "<lambda>", *min(places, default=())


def _read_definition(definition: Definition, outer: tuple[str, ...]) -> CodeText:
    reading = CodeText(ast.unparse(definition))
    around = f"def around({', '.join(outer)}):\n" + textwrap.indent(reading.text, " ")  # which `nonlocal` needs
    tables = symtable.symtable(around, "", "exec").get_children()[0].get_children()
    for table in tables:
        tables += table.get_children()
        reading.globals |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    chains: defaultdict[str, Chains] = defaultdict(set)
    own: set[str] = set()  # names outside of the function that it sets
    inner: set[ast.AST] = set()
    body: Any = [definition.body] if isinstance(definition, ast.Lambda) else definition.body
    for node in ast.walk(ast.Module(body, [])):
        match node:
            case ast.Global() | ast.Nonlocal():
                own.update(node.names)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                reading.sets.add(name)
            case ast.Import():
                paths = {(alias.asname or alias.name.partition(".")[0], alias.name) for alias in node.names}
                reading.imports |= {(name, path, "") for name, path in paths}
            case ast.ImportFrom():
                path = "." * node.level + (node.module or "")
                reading.imports |= {(alias.asname or alias.name, path, alias.name) for alias in node.names}
        if node not in inner and isinstance(getattr(node, "ctx", None), ast.Load):
            chain: tuple[str, ...] = ()
            while isinstance(node, ast.Attribute):
                chain, node = (node.attr, *chain), node.value
                inner.add(node)
            if isinstance(node, ast.Name):
                chains[node.id].add(chain)
    reading.chains = {**chains, **{name: set() for name in own}}
    return reading


def _read_byte_code(code: CodeType) -> CodeText:
    names: defaultdict[str, set[Any]] = defaultdict(set)
    for block in _codes(code):
        for step in dis.get_instructions(block):
            names[step.opname].add(step.argval)
    variables = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    return CodeText(
        [code.co_code, code.co_exceptiontable, code.co_flags, code.co_argcount, variables, code.co_consts],
        globals=names["LOAD_GLOBAL"] | names["LOAD_NAME"] | names["LOAD_FROM_DICT_OR_GLOBALS"],
        chains={name: set() for name in names["STORE_GLOBAL"] | names["STORE_DEREF"]},
        imports={("", name, "") for name in names["IMPORT_NAME"]},
        sets=names["STORE_ATTR"],
    )
