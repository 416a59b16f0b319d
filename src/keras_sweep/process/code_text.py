"""The source text of a function, and the names in it by which the function reaches what is not its own.

A text belongs to a code that it compiles to, since a file may change after its import. A function without a text, as
after `exec` or `python -c`, counts by its byte code.
"""

import __future__

import ast
import dis
import functools
import linecache
import symtable
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

Chains = set[tuple[str, ...]]  # the attributes that are read of a name: of `np` in `np.random.rand` ("random", "rand")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


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
        if definition := definition_in("".join(linecache.getlines(code.co_filename)), code):
            TEXTS[code] = _read(definition, code.co_freevars)
        linecache.checkcache(code.co_filename)
    return TEXTS.get(code) or TEXTS.setdefault(code, _read_byte_code(code))


def definition_in(text: str | bytes, code: CodeType) -> Definition | None:
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
    """A code and all codes inside it."""
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


def _read(definition: Definition, outer: tuple[str, ...]) -> CodeText:
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
