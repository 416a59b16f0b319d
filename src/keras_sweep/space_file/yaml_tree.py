"""Text -> a tree of plain values that know their lines. Nothing in a file can run code or take much time or memory.

ruamel.yaml scans and parses; this file builds the tree from its events, because only there can size, depth and aliases
be bounded while a hostile file is read, and because every key keeps its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from keras_sweep.errors import Fault
from keras_sweep.space.distributions import Scalar
from keras_sweep.space.text import escaped, quoted

MOST_BYTES = 256 * 1024
MOST_NODES = 20_000  # keys, values and list items, with aliases written out
DEEPEST = 12
INT64 = 2**63

# The core schema of YAML 1.2.2, section 10.3.2: `1e-4` is a number, `no`, `on` and `2026-01-01` are text.
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")

Plain: TypeAlias = Any  # scalars, lists and dicts, as JSON has them


@dataclass(frozen=True)
class Node:
    """A value of the file: a scalar, a list of nodes or a map of nodes."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int | None = None  # of its key, or of itself in a list; counted from 1
    option: str | None = None  # the command's option that gave it: "--set learning_rate.max=0.1"
    nodes: int = field(default=1, compare=False)  # with all below it

    @property
    def plain(self) -> Plain:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return self.value

    def at(self, *path: str | int) -> Node:
        """The node at a path, or the nearest one above it that exists."""
        node = self
        for part in path:
            below: Node | None = None
            if isinstance(node.value, dict):
                below = node.value.get(str(part))
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                below = node.value[part]
            if below is None:
                return node
            node = below
        return node


def dotted(path: Sequence[str | int]) -> str:
    """A path as a key: `parameters.epochs.max`."""
    return ".".join(escaped(str(part)) for part in path)


class TreeError(Exception):
    """The text is not one plain YAML document within the limits."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults)
        self.faults = faults


def text_of_bytes(raw: bytes) -> str:
    """The text of a file's bytes. Raises TreeError where it is too large or not UTF-8 text."""
    if len(raw) > MOST_BYTES:
        raise TreeError(Fault(f"a space file has at most {MOST_BYTES:,} bytes, but this one is larger"))
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TreeError(Fault("a space file must be UTF-8 text, but this is UTF-16", hint="save it as UTF-8"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"a space file must be UTF-8 text, but got the byte 0x{raw[error.start]:02x}"
        raise TreeError(Fault(rule, line=raw[: error.start].count(b"\n") + 1)) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise TreeError(Fault("a space file must be text, but got a NUL byte", line=line))
    return text


def tree_of_text(text: str) -> Node:
    """The tree of a YAML text. Raises TreeError with all faults, or the first that YAML can't be read beyond."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    builder = _Builder()
    try:
        builder.read(YAML(typ="safe", pure=True).parse(text))
    except TreeError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise TreeError(Fault(f"not YAML: {escaped(what)}", line=mark.line + 1 if mark else None)) from None
    except YAMLError as error:  # a ReaderError: a control character
        position = getattr(error, "position", None)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else None
        code = getattr(error, "character", None)
        what = f"the character {code:#x}" if isinstance(code, int) else escaped(str(error).split("\n")[0])
        raise TreeError(Fault(f"not YAML: {what} is not allowed", line=line)) from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        # ruamel.yaml's scanner lets a few malformed escapes and directives out as these
        raise TreeError(Fault(f"not YAML: {escaped(str(error))[:200]}")) from None
    if builder.faults:
        raise TreeError(*builder.faults)
    if builder.root is None or builder.root.value is None:
        raise TreeError(Fault("the file is empty", hint="it needs `data`, `model`, `loss`, `metric` and `parameters`"))
    return builder.root


class _Builder:
    """Turns the parser's events into a tree."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def read(self, events: Iterator[Any]) -> None:
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                line = event.start_mark.line + 1
                if self.root is not None:
                    raise TreeError(Fault("a space file is one document, but a second one begins here", line=line))
                if event.version not in (None, (1, 2)):
                    found = ".".join(map(str, event.version))
                    raise TreeError(Fault(f"YAML 1.2 is read, but got {found}", line=line))
                self.root = self._node(next(events), events, (), 0)

    def _node(self, event: Any, events: Iterator[Any], path: tuple[str | int, ...], depth: int) -> Node:
        line = event.start_mark.line + 1
        kind = type(event).__name__
        key = dotted(path)
        if kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise TreeError(Fault(f"no anchor `&{escaped(event.anchor)}` stands before this alias", key, line))
            node = replace(self._anchors[event.anchor], line=line)
            self._count(node.nodes, key, line)
            return node
        self._count(1, key, line)
        if depth > DEEPEST:
            raise TreeError(Fault(f"a space file is at most {DEEPEST} levels deep", key, line))
        if event.tag is not None and str(event.tag) != "!":
            self.faults.append(Fault(f"tags are not read, but got {quoted(str(event.tag))}", key, line, "leave it out"))
        before = self._nodes
        if kind == "SequenceStartEvent":
            node = Node(self._list(events, path, depth), line)
        elif kind == "MappingStartEvent":
            node = Node(self._map(events, path, depth), line)
        else:
            node = Node(self._scalar(event, key, line), line)
        node = replace(node, nodes=1 + self._nodes - before)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, nodes: int, key: str, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise TreeError(Fault(f"a space file has at most {MOST_NODES:,} values, aliases written out", key, line))

    def _list(self, events: Iterator[Any], path: tuple[str | int, ...], depth: int) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            items.append(self._node(event, events, (*path, len(items)), depth + 1))
        return items

    def _map(self, events: Iterator[Any], path: tuple[str | int, ...], depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            line = event.start_mark.line + 1
            if type(event).__name__ != "ScalarEvent":
                raise TreeError(Fault("a key must be a word, but got a list, a map or an alias", dotted(path), line))
            name = str(event.value)
            self._count(1, name, line)
            node = self._node(next(events), events, (*path, name), depth + 1)
            if name in items:
                rule = f"the key `{escaped(name)}` is there twice, first on line {items[name].line}"
                self.faults.append(Fault(rule, dotted((*path, name)), line))
            items[name] = replace(node, line=line)
        return items

    def _scalar(self, event: Any, key: str, line: int) -> Scalar:
        text = str(event.value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            self.faults.append(Fault(f"text must be Unicode, but got {quoted(text)}", key, line))
        if event.style is not None or event.tag is not None:  # quoted or a block: text, whatever it looks like
            return text
        try:
            return scalar(text)
        except ValueError as error:
            self.faults.append(Fault(str(error), key, line))
            return 0


def scalar(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises ValueError for a number that is not finite or has more than 64 bits."""
    if _NULL.fullmatch(text):
        return None
    if match := _BOOL.fullmatch(text):
        return match[1] is not None
    number = _number(text)
    if isinstance(number, int) and not -INT64 <= number < INT64:
        raise ValueError(f"a whole number must fit 64 bits, but got {quoted(text)}")
    if (isinstance(number, float) and not math.isfinite(number)) or _NOT_FINITE.fullmatch(text):
        raise ValueError(f"a number must be finite, but got {quoted(text)}")
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """The number that the text is, of any size; None where it is none."""
    if len(text) > 400:  # no number of use is longer, and Python refuses whole numbers of more than 4,300 digits
        return None
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else None
