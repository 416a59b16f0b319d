"""Apply options of the command line to a space file: `--set`, and options for keys of `search`."""

import io
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keras_sweep.errors import Fault, UsageError
from keras_sweep.search.engines import ENGINES
from keras_sweep.space.search_space import Params
from keras_sweep.space.text import escape, quote
from keras_sweep.space_file.faults import hint_at_key
from keras_sweep.space_file.ranges import parse_value
from keras_sweep.space_file.sections import SECTIONS
from keras_sweep.space_file.yaml_tree import Node, Plain, TreeError, parse_yaml


def apply_options(root: Node, sets: Sequence[str], of_search: Mapping[str, str | int]) -> tuple[Node, list[Fault]]:
    """Return the tree with the options applied, and their faults. `sets`: KEY=VALUE texts of `--set`. `of_search`: key
    of `search` -> value of its option."""
    # `--engine` alone uses that engine's default sampler if it does not have the file's sampler.
    samplers = ENGINES.get(str(of_search.get("engine")), ())
    search, sampler = root.at("search"), root.at("search", "sampler").value
    if samplers and isinstance(sampler, str) and sampler not in samplers and isinstance(search.value, dict):
        kept = {key: node for key, node in search.value.items() if key != "sampler"}
        root = _set_value(root, ("search",), replace(search, value=kept), "--engine")
    options = [(f"--set {text}", text) for text in sets]
    options += [(f"--{key} {value}", f"search.{key}={json.dumps(value)}") for key, value in of_search.items()]
    faults: list[Fault] = []
    for option, text in options:
        try:
            root = _set_value(root, *_parse_set(root, text, option), option)
        except TreeError as error:
            faults += [replace(fault, key=escape(option), line=None) for fault in error.faults]
    return root, faults


def parse_point(given: str | Mapping[str, Any] | None, *, is_of_keras: bool = True) -> Params | None:
    """Convert the value of `--add`, "optimizer=adam epochs=10" or a dict, to parameter -> value. Return None for None.
    `is_of_keras`: whether `optimizer` is an optimizer of Keras. Raises UsageError if a text is not KEY=VALUE."""
    if isinstance(given, str):
        try:
            pairs = [word.partition("=") for word in shlex.split(given)]
            values = {name: parse_yaml(f"value: {text}").plain["value"] for name, _, text in pairs}
        except (TreeError, TypeError, ValueError):  # includes a quote without its end
            pairs, values = [], {}
        if not values or len(values) < len(pairs) or not all(equals for _, equals, _ in pairs):
            hint = "Write, for example, `--add 'optimizer=adam learning_rate=1e-3 model.hidden=[32,16]'`"
            rule = f"`--add` must have KEY=VALUE without spaces for each parameter, but got {quote(given)}"
            raise UsageError(rule, hint=hint)
        given = values
    if given is None:
        return None
    return {name: parse_value(name if is_of_keras else "", value) for name, value in given.items()}


def _set_value(root: Node, path: tuple[str, ...], value: Node, option: str) -> Node:
    """Return the tree `root` with `value` at `path`. Missing maps are added; messages name `option` as their origin.
    Raises TreeError if the path leads through a value without keys."""
    here = dict(root.value) if isinstance(root.value, dict) else {}
    head, *rest = path
    if rest:
        below = here.get(head, Node({}, option=option))
        if not isinstance(below.value, dict):
            rule = f"`{escape(head)}` is {quote(below.plain)}, which has no keys"
            raise TreeError(Fault(rule, hint=f"replace it, as in `--set '{escape(head)}={{{rest[0]}: ...}}'`"))
        value = replace(_set_value(below, tuple(rest), value, option), line=below.line, option=below.option)
    return replace(root, value={**here, head: value})


def _parse_set(root: Node, text: str, option: str) -> tuple[tuple[str, ...], Node]:
    key, equals, text = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise TreeError(Fault("must be KEY=VALUE", hint="as in `--set learning_rate.max=0.1`"))
    try:
        tree = parse_yaml(f"value: {text}", option)
    except TreeError as error:
        raise TreeError(Fault(f"the value can't be read: {error.faults[0].rule}")) from None
    if not isinstance(tree.value, dict) or list(tree.value) != ["value"]:
        raise TreeError(Fault(f"the value must be a single YAML value, but got {quote(text)}"))
    return _resolve_key(root, key.split(".")), tree.value["value"]


def _resolve_key(root: Node, parts: list[str]) -> tuple[str, ...]:
    """Convert a key of `--set`, split at its dots, to a path in the tree. A parameter's name may have dots, and
    `parameters.` may be left out. Raises TreeError for an unknown parameter or section."""
    if "" in parts:
        raise TreeError(Fault(f"a key must not have an empty part, but got {quote('.'.join(parts))}"))
    has_section = parts[0] == "parameters"
    rest = parts[1:] if has_section else parts
    sections = [root.plain.get(name) for name in ("parameters", "model")]
    known, of_model = (tuple(section) if isinstance(section, dict) else () for section in sections)
    for length in range(len(rest), 0, -1):
        name = ".".join(rest[:length])
        if name in known:
            return ("parameters", name, *rest[length:])
    # `model.units` is a parameter, but `model.dense.units` is a fixed argument in the model section.
    new = parts[0] == "model" and len(parts) > 1 and parts[1] not in (*of_model, "dense", "python")
    if parts == ["parameters"] or (not has_section and parts[0] in SECTIONS and not new):
        if len(parts) > 1 and root.at(parts[0]) is root and parts[0] not in ("search", "split"):
            hint = f"set all of it, as in `--set '{parts[0]}={{...}}'`"
            raise TreeError(Fault(f"the file has no `{parts[0]}`", hint=hint))
        return tuple(parts)
    if rest[0] == "model" and len(rest) <= 3:  # a parameter that the file does not have yet
        return ("parameters", ".".join(rest[:2]), *rest[2:])
    if len(rest) > 1:
        rule = f"there is no parameter {quote('.'.join(rest[:-1]))}"
        raise TreeError(Fault(rule, hint=hint_at_key(rest[0], (*known, *SECTIONS))))
    return ("parameters", rest[0])


def dump_yaml(value: Plain, *, flow: bool | None = None) -> str:
    """Return YAML that reads back as `value`; JSON if ruamel.yaml can't write it. `flow`: as in `dump_block_yaml`."""
    try:
        text = dump_block_yaml(value, flow=flow)
        if parse_yaml(text).plain == value:
            return text
    except Exception:  # the writer raises many kinds of errors
        pass
    # JSON is YAML 1.2 if characters that a YAML reader folds or refuses are escaped as in YAML.
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return "".join(char if char <= "~" or char.isprintable() else f"\\U{ord(char):08x}" for char in text)


def dump_block_yaml(value: Plain, *, width: int = 120, flow: bool | None = None) -> str:
    """Return a map as YAML. `flow`: None for blocks in which only lists of scalars are inline, True for {...}
    everywhere. `width`: longest line."""
    from ruamel.yaml import YAML

    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = flow
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = width
    writer.dump(value, out)
    return out.getvalue()
