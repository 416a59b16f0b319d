"""Collect the messages of the package from its code: `python docs/messages.py [FOLDER]` prints them, a line each.

The errors page of the site is made from the same list.

A text is written as it is printed. A hole is a name in braces: `column {name} has no values`. Alternatives are in
parentheses, `(a / b)`. A part that is not always there is in brackets, `[ or leave it out]`. Texts in variables, and
constants of other modules, are followed to their words.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src" / "keras_sweep"
FAULT = "Fault"  # the kind of a fault of a space file
NOTICE = "Notice"  # the kind of a line that is no error
REASON = "Reason"  # the kind of a text that another message quotes
NOTICES = {"Noticed", "SweepWarning", "warn", "notice", "_notice"}
REASONS = {"ValueError", "TypeError", "RuntimeError", "OSError", "ChildProcessError", "TimeoutError", "TrialFailed"}
# Functions whose result shows their first argument.
SHOWING = {
    "abs",
    "dict",
    "escape",
    "float",
    "int",
    "itemize",
    "join",
    "list",
    "map",
    "max",
    "min",
    "next",
    "quote",
    "repr",
}
SHOWING |= {"round", "set", "sorted", "str", "sum", "tuple", "type"}
SUGGESTING = {"did_you_mean", "hint_at_key", "suggest_column"}  # functions that make a hint of a near name
VERBS = re.compile(r"^_*(describe|explain|format|get|list|make|name|read|show|to|write)_")
LONGEST_PART = 200  # characters of alternatives that are written inside of a text


@dataclass(frozen=True, slots=True)
class Message:
    """A text that a user may read, with the call that says it."""

    module: str  # "space_file/read.py"
    line: int
    kind: str  # an error's class, FAULT, NOTICE or REASON; otherwise the called function; "" for other texts
    text: str
    hint: str = ""

    @property
    def is_error(self) -> bool:
        return self.kind == FAULT or self.kind in list_error_classes()


@dataclass
class Module:
    """A module's texts by name, and what its functions return."""

    name: str
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)  # name -> module that has it
    modules: dict[str, str] = field(default_factory=dict)  # name -> module that it is
    returns: dict[str, str] = field(default_factory=dict)  # function -> the class that it returns


@cache
def read_module(name: str) -> Module:
    """Parse a module ("space_file/read.py")."""
    module = Module(name, ast.parse((SOURCES / name).read_text()))
    module.constants = {name: values[-1] for name, values in _assignments(module.tree.body).items() if values}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_sweep."):
            folder = (node.module or "").removeprefix("keras_sweep.").replace(".", "/")
            for name in node.names:
                known = name.asname or name.name
                if (SOURCES / f"{folder}.py").is_file():
                    module.imports[known] = f"{folder}.py"
                elif (SOURCES / folder / f"{name.name}.py").is_file():
                    module.modules[known] = f"{folder}/{name.name}.py"
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            module.returns[node.name] = _name(node.returns)
    return module


@cache
def list_error_classes() -> Mapping[str, ast.ClassDef]:
    """Return the classes of `errors.py` that are errors, from the base to the last."""
    classes = [node for node in read_module("errors.py").tree.body if isinstance(node, ast.ClassDef)]
    errors = dict[str, ast.ClassDef]()
    for node in classes:
        if any(_name(base) in {"Exception", *errors} for base in node.bases):
            errors[node.name] = node
    return errors


def read_messages() -> list[Message]:
    """Return all messages, in the order of the modules."""
    names = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py"))
    return [message for name in names for message in Reader(read_module(name)).read()]


def read_errors() -> list[Message]:
    """Return the messages of errors and of faults of space files, each once."""
    return select(lambda message: message.is_error)


def select(is_wanted: Callable[[Message], bool]) -> list[Message]:
    """Return the messages that have words of their own, each once."""
    messages = [message for message in read_messages() if is_wanted(message) and has_words(message.text, 2)]
    seen = {(message.kind, message.text, message.hint): message for message in reversed(messages)}
    return list(reversed(seen.values()))


class Reader:
    """Reads the messages of a module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.scopes: list[dict[str, list[ast.expr]]] = [{}]
        self.errors: list[dict[str, str]] = [{}]  # by function: its arguments that are classes of errors
        self.before: list[list[ast.stmt]] = []  # of each block that a call is in: the statements before it
        self.skipped = {id(part) for node in ast.walk(module.tree) for part in _no_message(node)}

    def read(self) -> Iterator[Message]:
        """Yield the messages: first a call's own, then the messages inside its arguments."""
        yield from self._visit(self.module.tree)

    def _visit(self, node: ast.AST) -> Iterator[Message]:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function:
            self.scopes.append({**self.scopes[-1], **_assignments(ast.walk(node))})
            arguments = [*node.args.args, *node.args.kwonlyargs]
            classes = {argument.arg: _class_of(argument.annotation) for argument in arguments}
            self.errors.append({**self.errors[-1], **classes})
        yield from self._read_node(node)
        for _, value in ast.iter_fields(node):
            self.before.append([])
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._visit(child)
                if isinstance(child, ast.stmt):
                    self.before[-1].append(child)
            self.before.pop()
        if is_function:
            self.scopes.pop()
            self.errors.pop()

    def _read_node(self, node: ast.AST) -> Iterator[Message]:
        if isinstance(node, ast.Call):
            yield from self._read_call(node)
        elif isinstance(node, ast.Return) and self.module.name.startswith("space_file"):
            yield from self._read_rule(node.value)
        elif isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in self.skipped:
            text = self.write(node)
            if has_words(text):
                self.skipped.update(map(id, ast.walk(node)))
                yield Message(self.module.name, node.lineno, "", text)

    def _read_call(self, node: ast.Call) -> Iterator[Message]:
        kind, texts, hint = self._classify(node)
        spoken = kind in (FAULT, NOTICE, REASON) or kind in list_error_classes()
        words = [word for word in texts if (self.has_words(word) if not spoken else self.write(word))]
        if spoken:
            words = words[:1]
        hints = " / ".join(filter(None, self.alternatives(hint))) if hint is not None else ""
        if not words and not hints:
            return
        for part in (*words, *([hint] if hint is not None else ())):
            self.skipped.update(map(id, ast.walk(part)))
        if spoken:
            for text in self.alternatives(words[0]) if words else [""]:
                if text.strip():
                    yield Message(self.module.name, node.lineno, kind, text, hints)
            return
        text = " | ".join(self.write(word) for word in words)
        yield Message(self.module.name, node.lineno, kind, text, hints)

    def _read_rule(self, returned: ast.expr | None) -> Iterator[Message]:
        """Read a fault that is returned as (rule, hint)."""
        if isinstance(returned, ast.Tuple) and len(returned.elts) == 2 and _is_text(returned.elts[0]):
            text = self.write(returned.elts[0])
            if has_words(text, 4):
                self.skipped.update(map(id, ast.walk(returned)))
                yield Message(self.module.name, returned.lineno, FAULT, text, self.write(returned.elts[1]))

    def _classify(self, node: ast.Call) -> tuple[str, Sequence[ast.expr], ast.expr | None]:
        """Return a call's kind, the arguments that may be its text, and its hint."""
        name, texts = _name(node.func), [part for part in node.args if not isinstance(part, ast.Starred)]
        hint = next((word.value for word in node.keywords if word.arg == "hint"), None)
        rest = texts[1:]
        if name in ("ParameterError", "add") and len(texts) > 1 and self.module.name.startswith("space_file"):
            return FAULT, rest[:1], next(iter(rest[1:]), hint)
        if name == "guard_user_code":
            return _name(texts[2]) if len(texts) > 2 else "", [_add_user_error(texts[0])], hint
        if isinstance(node.func, ast.Attribute) and _name(node.func.value) == "super":
            return "", [], None
        kind = self.errors[-1].get(name) or self._returned_class(name) or name
        if kind in NOTICES:
            return NOTICE, rest if name == "warn" and rest else texts, None
        if kind in REASONS:
            return REASON, texts, None
        if kind in ("TreeError", FAULT):
            return FAULT, texts, hint or (next(iter(rest), None) if name != FAULT else None)
        if kind in list_error_classes():
            helper = name != kind
            return kind, texts, hint or (rest[0] if helper and rest and self.has_words(rest[0]) else None)
        return name, [part for part in texts if _is_text(part) or isinstance(part, ast.Name)], hint

    def _returned_class(self, function: str) -> str:
        home = self.module.imports.get(function)
        returned = (read_module(home) if home else self.module).returns.get(function, "")
        return returned if returned in list_error_classes() or returned in ("TreeError", FAULT) else ""

    def has_words(self, node: ast.expr) -> bool:
        return (_is_text(node) or isinstance(node, ast.Name)) and has_words(self.write(node))

    def alternatives(self, node: ast.expr, depth: int = 0) -> list[str]:
        """Return the texts that an expression may be."""
        if isinstance(node, ast.IfExp):
            return [text for part in (node.body, node.orelse) for text in self.alternatives(part, depth + 1)]
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return [text for part in node.values for text in self.alternatives(part, depth + 1)]
        if isinstance(node, ast.Constant) and node.value is None:
            return [""]
        if isinstance(node, ast.Name | ast.Attribute) and depth < 4:
            values = self._values(node)
            texts = list(dict.fromkeys(text for value in values for text in self.alternatives(value, depth + 1)))
            if any(has_words(text, 2) for text in texts):
                return texts
        return [self.write(node, depth)]

    def _values(self, node: ast.Name | ast.Attribute) -> list[ast.expr]:
        """Return what a name may stand for: what its function assigns to it, or a constant."""
        if isinstance(node, ast.Attribute):
            home = self.module.modules.get(_name(node.value))
            found = _constant(read_module(home), node.attr) if home else None
            return [] if found is None else [found]
        if node.id in self.scopes[-1]:
            first = self._find_last_assignment(node.id)
            return [value for value in self.scopes[-1][node.id] if first <= value.lineno <= node.lineno]
        found = _constant(self.module, node.id)
        return [] if found is None else [found]

    def _find_last_assignment(self, name: str) -> int:
        """Return the line of the last assignment to a name that certainly ran before the call, 0 without one."""
        for statements in reversed(self.before):
            for statement in reversed(statements):
                if isinstance(statement, ast.Assign):
                    names = {_name(part) for target in statement.targets for part in ast.walk(target)}
                    if name in names:
                        return statement.lineno
        return 0

    def write(self, node: ast.expr, depth: int = 0) -> str:
        """Return the text of an expression. A hole is a name in braces."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else "" if node.value is None else str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(self.write(part, depth) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._write_part(node.value, depth)
        if isinstance(node, ast.BinOp) and _is_text(node):
            return self.write(node.left, depth) + self.write(node.right, depth)
        if isinstance(node, ast.Call) and _name(node.func) == "pluralize":
            return _pluralize(node)
        if isinstance(node, ast.Call) and _name(node.func) in SUGGESTING:
            return "did you mean `{near name}`?"
        if isinstance(node, ast.IfExp | ast.Name | ast.Attribute | ast.BoolOp):
            return self._write_part(node, depth)
        return "{" + name_hole(node) + "}"

    def _write_part(self, node: ast.expr, depth: int) -> str:
        """Write a part of a text that may have several forms."""
        if isinstance(node, ast.Name | ast.Attribute):
            values = self._values(node)
            if depth > 3 or not all(_is_written(value) for value in values):
                values = []
            texts = [text for value in values for text in self.alternatives(value, depth + 1)]
        elif isinstance(node, ast.IfExp | ast.BoolOp):
            texts = self.alternatives(node, depth + 1)
        else:
            return self.write(node, depth)
        texts = list(dict.fromkeys(texts))
        if not texts or (len(texts) > 1 and sum(map(len, texts)) > LONGEST_PART):
            return "{" + name_hole(node) + "}"
        if len(texts) == 1:
            return texts[0]
        words = [text for text in texts if text]
        if len(words) < len(texts):
            return f"[{words[0]}]" if len(words) == 1 else f"[{' / '.join(words)}]"
        return f"({' / '.join(words)})"


def name_hole(node: ast.AST) -> str:
    """Return a name for what an expression is."""
    if isinstance(node, ast.Call):
        return _name_call(node)
    if isinstance(node, ast.Attribute):
        return name_hole(node.value) if node.attr.startswith("__") else node.attr.strip("_").lower()
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower()
    if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        inner = name_hole(node.elt)
        return inner if len(inner) > 1 else name_hole(node.generators[0].iter)
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, str) and node.value.isidentifier() else "value"
    parts = [name_hole(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
    return next((name for name in parts if name != "value"), "value")


def _name_call(node: ast.Call) -> str:
    """Name the result of a call: what it shows, or what its function is called after its verb."""
    function = _name(node.func)
    bare = VERBS.sub("", function).strip("_") or "value"
    if function == "len":
        return "number"
    if isinstance(node.func, ast.Attribute) and hasattr(str, function) and function != "join":
        return name_hole(node.func.value)
    if node.args and (function in SHOWING or not VERBS.match(function)):
        return name_hole(node.args[0])
    return bare


def has_words(text: str, least: int = 3) -> bool:
    """Tell a sentence from a name, a pattern and a piece of markup: it has three words."""
    plain = re.sub(r"\{\w*\}", "", text)
    return len(re.findall(r"(?<![\w<])[A-Za-z'`]{2,}(?![\w>(])", plain)) >= least and not text.startswith(("<", "%"))


def _no_message(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is no message: docstrings, and the parts of `Literal[...]` and of other annotations."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
    if annotation is not None:
        yield from (part for part in ast.walk(annotation) if isinstance(part, ast.Constant))


def _assignments(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return by name what is assigned to it. An argument has nothing."""
    nodes = list(nodes)
    found: dict[str, list[ast.expr]] = {node.arg: [] for node in nodes if isinstance(node, ast.arg)}
    for node in nodes:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.NamedExpr) or (isinstance(node, ast.AnnAssign) and node.value is not None):
            pairs = [(node.target, node.value)]
        for target, value in pairs:
            if isinstance(target, ast.Tuple):
                parts = value.elts if isinstance(value, ast.Tuple) else [None] * len(target.elts)
                if isinstance(value, ast.IfExp) and isinstance(value.body, ast.Tuple):
                    parts = [ast.copy_location(ast.IfExp(value.test, *both), value) for both in _pairs(value)]
                for inner, part in zip(target.elts, parts, strict=False):
                    found.setdefault(_name(inner), []).extend([] if part is None else [part])
            else:
                found.setdefault(_name(target), []).append(value)
    return found


def _pairs(value: ast.IfExp) -> Iterator[tuple[ast.expr, ast.expr]]:
    sides = [side.elts if isinstance(side, ast.Tuple) else [] for side in (value.body, value.orelse)]
    yield from zip(*sides, strict=False)


def _constant(module: Module, name: str) -> ast.expr | None:
    """Return the value of a constant, also of another module, if it is a text or a number."""
    home = module.imports.get(name)
    found = read_module(home).constants.get(name) if home else module.constants.get(name)
    is_number = isinstance(found, ast.Constant) and isinstance(found.value, int | float)
    return found if found is not None and (_is_text(found) or is_number) else None


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_written(node: ast.expr) -> bool:
    """Tell a text, or a choice between texts, from a value that only the run knows."""
    if isinstance(node, ast.IfExp):
        return _is_written(node.body) or _is_written(node.orelse)
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, bool)
    return _is_text(node) or (isinstance(node, ast.Call) and _name(node.func) in {"pluralize", *SUGGESTING})


def _pluralize(node: ast.Call) -> str:
    """Return "{number} rows" for `pluralize(count, "row")`."""
    noun = node.args[1] if len(node.args) > 1 else None
    if not isinstance(noun, ast.Constant):
        return "{number}"
    return "{number} " + (f"{noun.value[:-1]}ies" if noun.value.endswith("y") else f"{noun.value}s")


def _class_of(annotation: ast.AST | None) -> str:
    """Return "UsageError" for `type[UsageError]`."""
    if isinstance(annotation, ast.Subscript) and _name(annotation.value) == "type":
        return _name(annotation.slice)
    return ""


def _add_user_error(what: ast.expr) -> ast.expr:
    """Return the text of `guard_user_code`: what failed, then the place and the error of the user's code."""
    colon = ast.Constant(": {file}:{line}: {error}")
    return ast.copy_location(ast.JoinedStr([ast.FormattedValue(what, -1), colon]), what)


def _name(node: ast.AST | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # an annotation in quotes
        return node.value
    return node.attr if isinstance(node, ast.Attribute) else ""


if __name__ == "__main__":
    for message in read_messages():
        if message.module.startswith(tuple(sys.argv[1:]) or ""):
            hint = f"\n    hint: {message.hint}" if message.hint else ""
            sys.stdout.write(f"{message.module}:{message.line}: {message.kind}: {message.text}{hint}\n")
