"""What a function's code says: its source text, and the names in it by which it reaches what is not its own.

A text is that of a code if it compiles to that code: a file may have been edited since it was imported. A function that
has no text, as by `exec` or `python -c`, has its byte code in place of it.
"""

import __future__

import ast
import dis
import functools
import itertools
import linecache
import symtable
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

Chains = set[tuple[str, ...]]  # what is taken of a name: of `np` in `np.random.rand` it is ("random", "rand")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

# Of byte code, what reads a name, sets one outside of the function, and takes an attribute.
READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_DEREF", "LOAD_CLASSDEREF")
WRITES = ("STORE_GLOBAL", "STORE_DEREF")
TAKES = ("LOAD_ATTR", "LOAD_METHOD")


@dataclass
class CodeText:
    """What the code of a function, and of those inside of it, says."""

    text: Any
    globals: set[str] = field(default_factory=set)  # names that it reads from its module
    chains: dict[str, Chains] = field(default_factory=dict)  # of all names that it reads
    imports: set[tuple[str, str, str]] = field(default_factory=set)  # by which name, from where, which attribute of it
    own: set[str] = field(default_factory=set)  # names outside of it that it sets: they are state of its own
    sets: set[str] = field(default_factory=set)  # attributes, of whatever object, that it sets


TEXTS: dict[CodeType, CodeText] = {}  # what was read: a file that is edited later changes nothing


def read_code(code: CodeType) -> CodeText:
    """Read the text of a function's code, once."""
    if code not in TEXTS:
        TEXTS[code] = _read_code(code)
    return TEXTS[code]


def _read_code(code: CodeType) -> CodeText:
    for _ in range(2):
        definition = definition_in("".join(linecache.getlines(code.co_filename)), code)
        if definition is not None:
            return _read(definition, code.co_freevars)
        linecache.checkcache(code.co_filename)
    steps = [step for block in _blocks(code) for step in dis.get_instructions(block) if step.opname != "EXTENDED_ARG"]
    chains: defaultdict[str, Chains] = defaultdict(set)
    for at, step in enumerate(steps):
        if step.opname in READS:
            following = itertools.takewhile(lambda one: one.opname in TAKES, steps[at + 1 : at + 9])
            chains[step.argval].add(tuple(one.argval for one in following))
    imports = {("", step.argval, "") for step in steps if step.opname == "IMPORT_NAME"}
    own, sets = ({step.argval for step in steps if step.opname in kind} for kind in (WRITES, ("STORE_ATTR",)))
    return CodeText([_byte_code(block) for block in _blocks(code)], set(chains), dict(chains), imports, own, sets)


def _blocks(code: CodeType) -> Iterator[CodeType]:
    """A code and all that stand inside of it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _blocks(inner)


def _byte_code(code: CodeType) -> list[Any]:
    constants = [sorted(map(repr, one)) if isinstance(one, frozenset) else one for one in code.co_consts]
    plain = [one for one in constants if not isinstance(one, CodeType)]
    names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    return [code.co_code, code.co_exceptiontable, code.co_flags, code.co_argcount, names, plain]


def definition_in(text: str | bytes, code: CodeType) -> Definition | None:
    """Find the definition from which the code was compiled, on whatever lines; None: it is of another text."""
    flags, alike, twin = code.co_flags & __future__.annotations.compiler_flag, _without_lines(code), None
    try:
        for by_statement in (False, True):  # as a notebook compiles a cell
            if twin is None:
                tree, codes = _compiled(text, flags, by_statement)
                twin = codes.get(alike)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if twin is None:
        return None
    places = [place for place in twin.co_positions() if None not in place and place[2] != place[3]]
    same = [  # one, but for lambdas on a line
        node
        for node in ast.walk(tree)
        if isinstance(node, Definition) and getattr(node, "name", "<lambda>") == twin.co_name
        if min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))]) == twin.co_firstlineno
        if all(_span(node)[0] <= place[::2] and place[1::2] <= _span(node)[1] for place in places)
    ]
    return max(same, key=_span, default=None)  # of one in another the inner


def _span(node: Any) -> Any:
    """Where that begins and ends of which the code is: of a lambda the body, since that may be another's."""
    inner = node.body if isinstance(node, ast.Lambda) else node
    return (inner.lineno, inner.col_offset), (inner.end_lineno, inner.end_col_offset)


@functools.lru_cache(16)
def _compiled(text: str | bytes, flags: int, by_statement: bool) -> tuple[ast.Module, dict[CodeType, CodeType]]:
    """The syntax tree of a text without docstrings, and its codes, each under what it is on any line."""
    tree, flags = ast.parse(text), flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    units = [ast.Module([statement], []) for statement in tree.body] if by_statement else [tree]
    compiled = [compile(unit, "", "exec", flags, dont_inherit=True) for unit in units]
    codes = {_without_lines(code): code for unit in compiled for code in _blocks(unit)}
    holders: list[Any] = [node for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    for node in holders:
        said = [one for one in node.body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
        node.body = [one for one in node.body if one not in said] or [ast.Pass()]
    return tree, codes


def _without_lines(code: CodeType) -> CodeType:
    constants = tuple(_without_lines(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_firstlineno=1, co_linetable=b"", co_consts=constants)


def _read(definition: Definition, outer: tuple[str, ...]) -> CodeText:
    around: Any = ast.parse(f"def around({', '.join(outer)}): pass")  # or names of its own could not be told from these
    whole: Any = ast.Expr(definition) if isinstance(definition, ast.Lambda) else definition
    body: Any = [ast.Expr(definition.body)] if isinstance(definition, ast.Lambda) else definition.body
    around.body[0].body = [whole]
    (table,) = symtable.symtable(ast.unparse(around), "", "exec").get_children()
    found = CodeText(ast.unparse(whole), {one.get_name() for one in _symbols(table) if one.is_global()})
    chains: defaultdict[str, Chains] = defaultdict(set)
    inner: set[ast.AST] = set()
    for node in ast.walk(ast.Module(body, [])):
        match node:
            case ast.Global() | ast.Nonlocal():
                found.own.update(node.names)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.sets.add(name)
            case ast.Import():
                for one in node.names:
                    package, _, module = one.name.rpartition(".")
                    whole_path = (one.asname or one.name.partition(".")[0], one.name, "")
                    found.imports.add((one.asname, package, module) if one.asname and package else whole_path)
            case ast.ImportFrom():
                path = "." * node.level + (node.module or "")
                found.imports |= {(one.asname or one.name, path, one.name) for one in node.names}
        if node not in inner and isinstance(getattr(node, "ctx", None), ast.Load):
            chain: tuple[str, ...] = ()
            while isinstance(node, ast.Attribute):
                chain, node = (node.attr, *chain), node.value
                inner.add(node)
            if isinstance(node, ast.Name):
                chains[node.id].add(chain)
    found.chains = dict(chains)
    return found


def _symbols(table: symtable.SymbolTable) -> Iterator[symtable.Symbol]:
    for child in table.get_children():
        yield from child.get_symbols()
        yield from _symbols(child)
