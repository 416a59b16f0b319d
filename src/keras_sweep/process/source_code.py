"""Read a user's code as text: the files of a module, without an import, and the names that a function reads.

A file may change after its import, so a function's text counts only if it compiles to the function's code. A function
without a text, for example after `exec` or `python -c`, counts by its byte code.
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
# The attributes that code reads from a name: {("random", "rand")} for `np` in `np.random.rand`.
Chains = set[tuple[str, ...]]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def get_module_facts(name: str) -> Any:
    """Return (name, version of the installed package), or for a user's module (name, digests of its files)."""
    place = find_module_file(name.partition(".")[0])
    if place is None or is_installed(name):
        return name, get_package_version(name)
    return name, digest_files(name, place.parents[place.name == "__init__.py"])


def is_installed(module: str) -> bool:
    """Check whether a module belongs to Python or an installed package, not to the user."""
    top = module.partition(".")[0]
    if top in ("keras_sweep", "__main__"):
        return top == "keras_sweep"
    if (place := find_module_file(module)) is None:
        return top in sys.stdlib_module_names
    return bool({"site-packages", "dist-packages"} & set(place.parts)) or STANDARD in place.parents


def find_module_file(module: str) -> Path | None:
    """Return the file of an imported module, else of its top-level package. None: there is no file. Imports nothing."""
    if file := getattr(sys.modules.get(module), "__file__", None):
        return Path(file)
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module.partition(".")[0])
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)), "__init__.py")
        return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
    return None


def get_package_version(module: str) -> str:
    """Return the version of the installed package that contains a module; "" for Python's own modules."""
    return _read_version(module.partition(".")[0])


@functools.cache
def _read_version(package: str) -> str:
    if package in sys.stdlib_module_names:
        return ""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    # This takes a second.
    return ",".join(map(version, packages_distributions().get(package, ())))


def digest_files(module: str, folder: Path) -> dict[str, str]:
    """Return {path in `folder`: SHA-256 as by `digest_source`} for the files of a module, and for all files in `folder`
    that these files import."""
    paths_left = list(_find_files(module.split("."), folder))
    digests: dict[str, str] = {}
    while paths_left:
        path = paths_left.pop()
        if (name := path.relative_to(folder).as_posix()) not in digests:
            with contextlib.suppress(OSError):  # the import will report it
                digests[name], imports = _read_source(path.read_bytes())
                paths_left.extend(_find_imported_files(imports, path, folder))
    return dict(sorted(digests.items()))


@functools.lru_cache(1024)
def _read_source(source: bytes) -> tuple[str, list[ast.Import | ast.ImportFrom]]:
    try:
        tree = ast.parse(source)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        return hashlib.sha256(ast.unparse(tree).encode(errors="surrogatepass")).hexdigest(), imports
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the import will report it
        return hashlib.sha256(source).hexdigest(), []


def digest_source(path: Path | None) -> str:
    """Return the SHA-256 (hex) of a Python file's code without comments and layout; "" if there is no file."""
    with contextlib.suppress(OSError):
        return _read_source(path.read_bytes())[0] if path is not None else ""
    return ""


def _find_files(parts: list[str], folder: Path) -> Iterator[Path]:
    place = folder
    for part in parts:
        if (file := place / f"{part}.py").is_file():
            yield file
            return
        place = place / part
        if (file := place / "__init__.py").is_file():
            yield file


def _find_imported_files(imports: list[ast.Import | ast.ImportFrom], path: Path, folder: Path) -> Iterator[Path]:
    package = list(path.parent.relative_to(folder).parts)
    for node in imports:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _find_files(name.name.split("."), folder)
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from _find_files(module, folder)
            for name in node.names:  # a name may be a module
                yield from _find_files([*module, name.name], folder)


@dataclass
class CodeText:
    """The text of a function and the names in it, including functions inside the function."""

    text: Any
    globals: set[str] = field(default_factory=set)  # names that the function reads from its module
    # Name -> the attributes that the function reads from the name; empty if the function also sets the name.
    chains: dict[str, Chains] = field(default_factory=dict)
    imports: set[tuple[str, str, str]] = field(default_factory=set)  # (name, module, attribute of the module)
    sets: set[str] = field(default_factory=set)  # attributes that the function sets on any object


# Each function's text is read once, so a later edit of its file changes nothing.
TEXTS: dict[CodeType, CodeText] = {}


def read_code(code: CodeType) -> CodeText:
    for _ in range(2):
        if code in TEXTS:
            return TEXTS[code]
        if definition := find_definition("".join(linecache.getlines(code.co_filename)), code):
            TEXTS[code] = _read_definition(definition, code.co_freevars)
        linecache.checkcache(code.co_filename)
    return TEXTS.get(code) or TEXTS.setdefault(code, _read_byte_code(code))


def find_definition(text: str | bytes, code: CodeType) -> Definition | None:
    """Return the syntax tree of the function of `code` in a file's `text`, or None if the file was edited since."""
    try:
        return _map_definitions(text, code.co_flags & __future__.annotations.compiler_flag).get(_remove_lines(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@functools.lru_cache(16)
def _map_definitions(text: str | bytes, flags: int) -> dict[CodeType, Definition]:
    """Return {code object without line numbers: syntax tree without docstrings} for all functions in `text`. `flags`
    are for `compile`. A notebook compiles each statement alone, which may give other code objects than the whole text.
    Both are included."""
    tree, flags = ast.parse(text), flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    units = [tree, *(ast.Module([statement], []) for statement in tree.body)]
    codes = [code for unit in units for code in _iterate_codes(compile(unit, "", "exec", flags, dont_inherit=True))]
    places: dict[Any, Definition] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            places["<lambda>", node.body.lineno, node.body.col_offset] = node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            places[node.name, min(part.lineno for part in (node, *node.decorator_list))] = node
        if isinstance(body := getattr(node, "body", None), list):
            texts = [part for part in body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)]
            body[:] = [part for part in body if part not in texts] or [ast.Pass()]
    return {_remove_lines(code): places[place] for code in codes if (place := _locate(code)) in places}


def _iterate_codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _iterate_codes(inner)


def _remove_lines(code: CodeType) -> CodeType:
    constants = tuple(_remove_lines(inner) if isinstance(inner, CodeType) else inner for inner in code.co_consts)
    return code.replace(co_firstlineno=1, co_linetable=b"", co_consts=constants)


def _locate(code: CodeType) -> Any:
    """Return (name, line) of a function, or ("<lambda>", line, column) of a lambda's body: a line may have several."""
    if code.co_name != "<lambda>":
        return code.co_name, code.co_firstlineno
    places = [(line, column) for line, _, column, end in code.co_positions() if line is not None and column != end]
    return "<lambda>", *min(places, default=())


def _read_definition(definition: Definition, outer: tuple[str, ...]) -> CodeText:
    code_text = CodeText(ast.unparse(definition))
    # `nonlocal` needs a function around it.
    around = f"def around({', '.join(outer)}):\n" + textwrap.indent(code_text.text, " ")
    tables = symtable.symtable(around, "", "exec").get_children()[0].get_children()
    for table in tables:
        tables += table.get_children()
        code_text.globals |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    chains: defaultdict[str, Chains] = defaultdict(set)
    outer_names_set: set[str] = set()  # outer names that the function sets
    inner: set[ast.AST] = set()
    body: Any = [definition.body] if isinstance(definition, ast.Lambda) else definition.body
    for node in ast.walk(ast.Module(body, [])):
        match node:
            case ast.Global() | ast.Nonlocal():
                outer_names_set.update(node.names)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                code_text.sets.add(name)
            case ast.Import():
                paths = {(alias.asname or alias.name.partition(".")[0], alias.name) for alias in node.names}
                code_text.imports |= {(name, path, "") for name, path in paths}
            case ast.ImportFrom():
                path = "." * node.level + (node.module or "")
                code_text.imports |= {(alias.asname or alias.name, path, alias.name) for alias in node.names}
        if node not in inner and isinstance(getattr(node, "ctx", None), ast.Load):
            chain: tuple[str, ...] = ()
            while isinstance(node, ast.Attribute):
                chain, node = (node.attr, *chain), node.value
                inner.add(node)
            if isinstance(node, ast.Name):
                chains[node.id].add(chain)
    code_text.chains = {**chains, **{name: set() for name in outer_names_set}}
    return code_text


def _read_byte_code(code: CodeType) -> CodeText:
    names: defaultdict[str, set[Any]] = defaultdict(set)
    for block in _iterate_codes(code):
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
