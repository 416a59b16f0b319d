"""Parse YAML into a tree of values with line numbers. No file can run code or use much time or memory.

ruamel.yaml turns text into events. This module builds the tree from these events. In this way it limits size, depth
and aliases while a hostile file is read, and every key keeps its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, TypeAlias

from keras_sweep.errors import Fault
from keras_sweep.space.distributions import Scalar
from keras_sweep.space.text import escape, quote

MOST_BYTES = 256 * 1024
MOST_NODES = 20_000  # keys, values and list items; an alias counts as its whole copy
DEEPEST = 12
INT64 = 2**63

# The core schema of YAML 1.2.2, section 10.3.2: `1e-4` is a number, `no`, `on` and `2026-01-01` are text.
_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], Scalar]], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"), lambda _: math.nan),
)
LONGEST_NUMBER = 400  # useful numbers are shorter, and Python refuses whole numbers of over 4,300 digits

Plain: TypeAlias = Any  # scalars, lists and dicts, as JSON has them


@dataclass(frozen=True)
class Node:
    """A value of the file: a scalar, a list of nodes or a map of nodes."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int | None = None  # of the value's key, or of the value in a list; counted from 1
    option: str | None = None  # the option that set the value: "--set learning_rate.max=0.1"
    nodes: int = field(default=1, compare=False)  # the number of nodes, with all below this node

    @property
    def plain(self) -> Plain:
        """The value without line numbers, as JSON has it."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        return [node.plain for node in self.value] if isinstance(self.value, list) else self.value

    def at(self, *path: str | int) -> Node:
        """Return the node at `path` (keys and list indexes), or the deepest existing node on the way there."""
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


def join_path(path: Sequence[str | int]) -> str:
    return ".".join(escape(str(part)) for part in path)


class TreeError(Exception):
    """A text is not a single YAML document, or breaks a limit, for example of its size. `faults` has all reasons."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults)
        self.faults = faults


def decode_text(raw: bytes) -> str:
    """Decode a file's bytes. Raises TreeError if the file is too large or not UTF-8 text."""
    if len(raw) > MOST_BYTES:
        raise TreeError(Fault(f"the file must have at most {MOST_BYTES:,} bytes"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"a space file must be UTF-8 text, but got the byte 0x{raw[error.start]:02x}"
        raise TreeError(Fault(rule, line=raw[: error.start].count(b"\n") + 1)) from None


def parse_yaml(text: str, option: str | None = None) -> Node:
    """Parse a YAML text. Raises TreeError with all faults, or with the first fault that stops the parser. `option`: the
    option of the command that has the text, if it is not a file's."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    builder = _Builder(YAML(typ="safe", pure=True).parse(text), option)
    line = None
    try:
        root = builder.document()
    except TreeError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        what = f"the character {error.character:#x} is not allowed"
    except Exception as error:  # ruamel.yaml raises other errors for a few malformed escapes and directives
        what = str(error)[:200]
    else:
        if builder.faults:
            raise TreeError(*builder.faults)
        if root is None or root.value is None:
            raise TreeError(Fault("the file is empty", hint="write `data`, `model`, `loss`, `metric` and `parameters`"))
        return root
    raise TreeError(Fault(f"not valid YAML: {escape(what)}", line=line))


class _Builder:
    def __init__(self, events: Iterator[Any], option: str | None) -> None:
        self.faults: list[Fault] = []
        self._events = events
        self._option = option
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def document(self) -> Node | None:
        """Build the tree of the only document; None if the text has no document."""
        root = None
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                line = event.start_mark.line + 1
                if root is not None:
                    raise TreeError(Fault("a space file must not have a second YAML document", line=line))
                if event.version not in (None, (1, 2)):
                    found = ".".join(map(str, event.version))
                    raise TreeError(Fault(f"the YAML version must be 1.2, but got {found}", line=line))
                root = self._node(next(self._events), ())
        return root

    def _node(self, event: Any, path: tuple[str | int, ...]) -> Node:
        line = event.start_mark.line + 1
        kind = type(event).__name__
        key = join_path(path)
        if kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise TreeError(Fault(f"there is no anchor `&{escape(event.anchor)}` before this alias", key, line))
            node = replace(self._anchors[event.anchor], line=line)
            self._count(node.nodes, key, line)
            return node
        before = self._nodes
        self._count(1, key, line)
        if len(path) > DEEPEST:
            raise TreeError(Fault(f"the file must be at most {DEEPEST} levels deep", key, line))
        if event.tag is not None and str(event.tag) != "!":
            self.faults.append(Fault(f"tags must be left out, but got {quote(str(event.tag))}", key, line))
        value: Scalar | list[Node] | dict[str, Node]
        if kind == "SequenceStartEvent":
            items = enumerate(self._until("SequenceEndEvent"))
            value = [self._node(item, (*path, index)) for index, item in items]
        else:
            value = self._map(path) if kind == "MappingStartEvent" else self._scalar(event, key, line)
        node = Node(value, line, self._option, self._nodes - before)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, nodes: int, key: str, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise TreeError(Fault(f"the file must have at most {MOST_NODES:,} values with all aliases", key, line))

    def _until(self, end: str) -> Iterator[Any]:
        return takewhile(lambda event: type(event).__name__ != end, self._events)

    def _map(self, path: tuple[str | int, ...]) -> dict[str, Node]:
        items: dict[str, Node] = {}
        for event in self._until("MappingEndEvent"):
            line = event.start_mark.line + 1
            if type(event).__name__ != "ScalarEvent":
                raise TreeError(Fault("a key must be a word, but got a list, a map or an alias", join_path(path), line))
            name = str(event.value)
            self._count(1, name, line)
            node = self._node(next(self._events), (*path, name))
            if name in items:
                rule = f"the key `{escape(name)}` occurs twice, first on line {items[name].line}"
                self.faults.append(Fault(rule, join_path((*path, name)), line))
            items[name] = replace(node, line=line)
        return items

    def _scalar(self, event: Any, key: str, line: int) -> Scalar:
        text = str(event.value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            self.faults.append(Fault(f"text must be Unicode, but got {quote(text)}", key, line))
        if event.style is not None or event.tag is not None:  # quoted or a block: text, whatever it looks like
            return text
        try:
            return parse_scalar(text)
        except ValueError as error:
            self.faults.append(Fault(str(error), key, line))
            return 0


def parse_scalar(text: str) -> Scalar:
    """Parse an unquoted scalar. Raises ValueError for a number that is not finite or has more than 64 bits."""
    forms = (value_of for form, value_of in _FORMS if len(text) <= LONGEST_NUMBER and form.fullmatch(text))
    value = next(forms, str)(text)
    if isinstance(value, int) and not -INT64 <= value < INT64:
        raise ValueError(f"a whole number must fit 64 bits, but got {quote(text)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a number must be finite, but got {quote(text)}")
    return value
