"""What the command line changes in a space file: `--set` and the options that stand for a key of `search`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from keras_sweep.errors import Fault
from keras_sweep.search.engines import ENGINES
from keras_sweep.space.text import escaped, quoted
from keras_sweep.space_file.fault_list import unknown
from keras_sweep.space_file.file_model import SECTIONS
from keras_sweep.space_file.yaml_tree import Node, Plain, TreeError, tree_of_text


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options of the command that stand above the file; None leaves the file's word."""

    engine: str | None = None
    sampler: str | None = None
    trials: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One value put into the tree."""

    path: tuple[str, ...]
    value: Node
    option: str


def with_options(root: Node, sets: tuple[str, ...], overrides: Overrides) -> tuple[Node, list[Change], list[Fault]]:
    """The tree with all options applied, the changes made, and what was wrong with the options."""
    changes: list[Change] = []
    faults: list[Fault] = []
    for text in sets:
        option = f"--set {text}"
        try:
            path, value = _parsed(root, text, option)
            root = put(root, path, value, option)
            changes.append(Change(path, value, option))
        except _OptionError as error:
            faults.append(Fault(error.rule, escaped(option), None, error.hint))
    for key in ("engine", "sampler", "trials", "seed"):
        given: Any = getattr(overrides, key)
        if given is None:
            continue
        option = f"--{key} {given}"
        value = Node(given, option=option)
        try:
            root = put(root, ("search", key), value, option)
            changes.append(Change(("search", key), value, option))
        except _OptionError as error:
            faults.append(Fault(error.rule, escaped(option), None, error.hint))
    if overrides.engine is not None and overrides.sampler is None:
        root, dropped = _with_its_sampler(root, overrides.engine)
        changes.extend(dropped)
    return root, changes, faults


def put(root: Node, path: tuple[str, ...], value: Node, option: str) -> Node:
    """The tree with a value at a path; a missing `search` is made. Raises where the path leads through no map."""
    here = dict(root.value) if isinstance(root.value, dict) else {}
    head, *rest = path
    if rest:
        below = here.get(head, Node({}, option=option))
        if not isinstance(below.value, dict):
            rule = f"`{escaped(head)}` is {quoted(below.plain)}, which has no keys"
            raise _OptionError(rule, f"replace it, as in `--set '{escaped(head)}={{{rest[0]}: ...}}'`")
        value = put(below, tuple(rest), value, option)
        value = replace(value, line=below.line, option=below.option)
    here[head] = value
    return replace(root, value=here)


def _with_its_sampler(root: Node, engine: str) -> tuple[Node, list[Change]]:
    """`--engine` alone takes that engine's default sampler where it has not the file's."""
    search = root.at("search")
    sampler = root.at("search", "sampler")
    if engine not in ENGINES or not isinstance(search.value, dict) or sampler.value in ENGINES[engine]:
        return root, []
    if "sampler" not in search.value or sampler.option is not None:
        return root, []
    default = Node(next(iter(ENGINES[engine])), option=f"--engine {engine}")
    return put(root, ("search", "sampler"), default, f"--engine {engine}"), [
        Change(("search", "sampler"), default, f"--engine {engine}")
    ]


class _OptionError(Exception):
    def __init__(self, rule: str, hint: str | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.hint = hint


def _parsed(root: Node, text: str, option: str) -> tuple[tuple[str, ...], Node]:
    key, equals, value_text = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise _OptionError("must be KEY=VALUE", "as in `--set learning_rate.max=0.1`")
    try:
        value = tree_of_text(f"value: {value_text}")
    except TreeError as error:
        raise _OptionError(f"the value is not YAML: {error.faults[0].rule}") from None
    inner = value.at("value") if isinstance(value.value, dict) and list(value.value) == ["value"] else None
    if inner is None:
        raise _OptionError(f"the value must be one YAML value, but got {quoted(value_text)}")
    return _path(root, key.split(".")), _of_option(inner, option)


def _of_option(node: Node, option: str) -> Node:
    if isinstance(node.value, dict):
        return Node({key: _of_option(below, option) for key, below in node.value.items()}, None, option)
    if isinstance(node.value, list):
        return Node([_of_option(below, option) for below in node.value], None, option)
    return Node(node.value, None, option)


def _path(root: Node, parts: list[str]) -> tuple[str, ...]:
    """The dotted key as a path. A parameter's name may have dots, and `parameters.` may be left out."""
    if "" in parts:
        raise _OptionError("a key has no empty part")
    named = parts[0] == "parameters"
    rest = parts[1:] if named else parts
    if named and not rest:
        return ("parameters",)
    parameters = root.at("parameters").value
    known: tuple[str, ...] = (
        tuple(parameters) if isinstance(parameters, dict) and root.at("parameters") is not root else ()
    )
    for length in range(len(rest), 0, -1):
        name = ".".join(rest[:length])
        if name in known:
            return ("parameters", name, *rest[length:])
    if not named and parts[0] in SECTIONS and not _new_model_parameter(root, parts):
        if len(parts) > 1 and root.at(parts[0]) is root and parts[0] not in ("search", "split"):
            raise _OptionError(
                f"there is no `{parts[0]}` in the file", f"give it whole, as in `--set '{parts[0]}={{...}}'`"
            )
        return tuple(parts)
    if rest[0] == "model" and len(rest) <= 3:  # a parameter that the file does not have yet
        return ("parameters", ".".join(rest[:2]), *rest[2:])
    if len(rest) > 1:
        raise _OptionError(
            f"there is no parameter {quoted('.'.join(rest[:-1]))}", unknown(rest[0], (*known, *SECTIONS))
        )
    return ("parameters", rest[0])


def _new_model_parameter(root: Node, parts: list[str]) -> bool:
    """`model.units` is a parameter, while `model.dense.units` is the model section's fixed argument."""
    section = root.at("model")
    inside = section.value if isinstance(section.value, dict) and section is not root else {}
    return parts[0] == "model" and len(parts) > 1 and parts[1] not in (*inside, "dense", "python")


def edited_text(text: str, changes: list[Change], root: Node) -> str:
    """The file's text with the changes made, its comments kept; rewritten without them where that is not possible."""
    if not changes:
        return text
    return _if_it_reads_back(lambda: _commented(text, changes), root.plain) or plain_yaml(root.plain)


def plain_yaml(value: Plain) -> str:
    """A map as YAML that reads back to an equal one."""
    return _if_it_reads_back(lambda: block_yaml(value), value) or _json(value)


def _if_it_reads_back(write: Callable[[], str], value: Plain) -> str | None:
    """ruamel.yaml can't write everything that it can read: some characters come back as line breaks."""
    try:
        text = write()
        return text if tree_of_text(text).plain == value else None
    except Exception:  # of many kinds, from a writer that met what it can't write
        return None


def _commented(text: str, changes: list[Change]) -> str:
    import io

    from ruamel.yaml import YAML

    keeping = YAML(typ="rt", pure=True)
    keeping.width = 120
    keeping.preserve_quotes = True
    document = keeping.load(text)
    for change in changes:
        holder = document
        for part in change.path[:-1]:
            holder = holder.setdefault(part, {})
        holder[change.path[-1]] = change.value.plain
    out = io.StringIO()
    keeping.dump(document, out)
    return out.getvalue()


def block_yaml(value: Plain, *, width: int = 120) -> str:
    """A map as YAML in blocks, lists of scalars in one line."""
    import io

    from ruamel.yaml import YAML

    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = width
    writer.dump(value, out)
    return out.getvalue()


def _json(value: Plain) -> str:
    """JSON is YAML 1.2, once characters that a YAML reader folds or refuses are escaped YAML's way."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return "".join(char if char <= "~" or char.isprintable() else f"\\U{ord(char):08x}" for char in text)
