"""Collect the messages of the package from its code: `python docs/messages.py [FOLDER]` prints them, a line each.

The errors page of the site is made of the same list.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src" / "keras_sweep"


@dataclass(frozen=True, slots=True)
class Message:
    """A text that a user may read, with the call that says it."""

    module: str  # "space_file/read.py"
    line: int
    kind: str  # the class or function that is called with it, "DataError"; "" for other texts
    text: str  # holes are written as names in braces, "column {name} has no values"
    hint: str = ""


def read_messages() -> list[Message]:
    """Return all messages, in the order of the modules."""
    return [message for path in sorted(SOURCES.rglob("*.py")) for message in _read_module(path)]


def read_errors() -> list[Message]:
    """Return the messages of errors and of faults of space files."""
    return [message for message in read_messages() if re.search(r"(Error|Fault|Package|Sweep|Busy)$", message.kind)]


def _read_module(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text())
    constants = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and _is_text(statement.value)
    }
    skipped = set(_docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            texts = [_write(value, constants) for value in node.args if _has_words(value, constants)]
            hint = next((_write(word.value, constants) for word in node.keywords if word.arg == "hint"), "")
            if texts or hint:
                skipped.update(id(part) for value in [*node.args, *node.keywords] for part in ast.walk(value))
                yield Message(
                    path.relative_to(SOURCES).as_posix(), node.lineno, _name(node.func), " | ".join(texts), hint
                )
        elif isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped and _has_words(node, constants):
            skipped.update(id(part) for part in ast.walk(node))
            yield Message(path.relative_to(SOURCES).as_posix(), node.lineno, "", _write(node, constants))


def _docstrings(tree: ast.Module) -> Iterator[int]:
    """Yield the identities of the strings that stand as statements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def _has_words(node: ast.AST, constants: Mapping[str, ast.expr]) -> bool:
    """Tell a sentence from a name, a pattern and a piece of markup: it has three words."""
    text = _write(node, constants) if _is_text(node) or isinstance(node, ast.Name) else ""
    return len(re.findall(r"(?<![\w<])[A-Za-z'`]{2,}(?![\w>(])", text)) >= 3 and not text.startswith(("<", "%", "("))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _write(node: ast.AST, constants: Mapping[str, ast.expr]) -> str:
    """Return the text of an expression. A hole is the last name of its expression in braces."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_write(part, constants) for part in node.values)
    if isinstance(node, ast.Name) and node.id in constants:
        return _write(constants[node.id], constants)
    if isinstance(node, ast.IfExp):
        return " / ".join(filter(None, (_write(node.body, constants), _write(node.orelse, constants))))
    names = [name for part in ast.walk(node) if (name := _name(part))]
    return "{" + (names[0] if names else "...") + "}"


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


if __name__ == "__main__":
    for message in read_messages():
        if message.module.startswith(tuple(sys.argv[1:]) or ""):
            hint = f"\n    hint: {message.hint}" if message.hint else ""
            sys.stdout.write(f"{message.module}:{message.line}: {message.kind}: {message.text}{hint}\n")
