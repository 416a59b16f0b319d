"""The page of a space file's keys: from its JSON Schema, with examples from the space files that the project shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tables import cell, table

ROOT = Path(__file__).parents[1]
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Schema = Mapping[str, Any]
LONGEST = 68  # characters of an example in a cell
# A list of more names is below the tables.
MOST_NAMES = 9
# Examples of keys that no other page shows: a base, and what is laid over it.
MORE_EXAMPLES = ROOT / "docs/space_file_examples.yaml"

ANY_NAME = {
    "data.NAME": "an option of `data`, as a parameter",
    "model.NAME": "an argument of your model's function, as a parameter",
}
PARAMETER_GROUPS = {
    "data": "Options of the data",
    "loss": "Arguments of the loss",
    "model": "Arguments of the model",
    "training": "Keys of `training`",
}
PLURALS = {
    "map": "maps", "text": "texts", "number": "numbers", "any value": "values", "whole number > 0": "whole numbers > 0",
}  # fmt: skip


@dataclass
class Keys:
    """A table of keys: the keys of a map at a place of the file."""

    path: tuple[str, ...]  # ("training", "early_stopping"); "*" is any name
    form: Schema
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)  # by key: (YAML, page)


class SpaceFilePage:
    """The tables of a space file's keys with their examples."""

    def __init__(self) -> None:
        from keras_sweep.space_file.sections import make_space_file_schema

        self.schema = make_space_file_schema()
        self.tables: dict[tuple[tuple[str, ...], str], Keys] = {}
        self.lists: dict[tuple[str, ...], str] = {}  # long lists of names -> their headings
        self._find_tables((), self.schema)
        for text, page in read_space_files():
            self._collect(text, page)
        for text in read_more_examples():
            self._collect(complete(text), "")

    def _find_tables(self, path: tuple[str, ...], section: Schema) -> None:
        for form in self.read_maps(section):
            if (path, form["title"]) in self.tables:
                continue
            self.tables[path, form["title"]] = Keys(path, form)
            parameters = path == ("parameters",)
            for name, inner in form["properties"].items():
                self._find_tables((*path, "*") if parameters else (*path, name), inner)

    def read_maps(self, section: Schema) -> Iterator[Schema]:
        """Yield the maps that a section may be, or have in a list."""
        if "$ref" in section and not section["$ref"].endswith("/Value"):  # which is any, and recursive
            yield from self.read_maps(self.schema["$defs"][section["$ref"].rpartition("/")[2]])
        for key in ("anyOf", "oneOf", "allOf"):
            for form in section.get(key, ()):
                yield from self.read_maps(form)
        for key in ("items", "additionalProperties"):  # the schema of the maps in a list, or of those below any name
            if isinstance(section.get(key), dict) and "properties" not in section:
                yield from self.read_maps(section[key])
        if "properties" in section:
            yield section

    def _collect(self, text: str, page: str) -> None:
        from keras_sweep.space_file.yaml_tree import parse_yaml

        self._walk((), parse_yaml(text).plain, page)

    def _walk(self, path: tuple[str, ...], value: Any, page: str) -> None:
        if isinstance(value, list):
            for item in value:
                self._walk(path, item, page)
        if not isinstance(value, dict):
            return
        forms = [keys for (place, _), keys in self.tables.items() if place == path]
        matching = [
            keys for keys in forms if set(keys.form.get("required", ())) <= {*value} & {*keys.form["properties"]}
        ]
        if not matching:  # a map from names of outputs, or one without keys of its own
            for item in value.values() if forms else ():
                self._walk(path, item, page)
            return
        keys = max(matching, key=lambda keys: len({*value} & {*keys.form["properties"]}))
        for name, inner in value.items():
            row = self._row_of(keys, name)
            if row:
                shown = write_yaml(name, inner)
                known = keys.examples.get(row)
                if known is None or (len(shown) < len(known[0]) > LONGEST and (page or not known[1])):
                    keys.examples[row] = (shown, page)
            self._walk((*path, "*") if path == ("parameters",) else (*path, name), inner, page)

    def _row_of(self, keys: Keys, name: str) -> str:
        if name in keys.form["properties"]:
            return name
        rows, prefix = self.rows(keys), name.split(".")[0]
        return name if name in rows else f"{prefix}.NAME" if f"{prefix}.NAME" in rows else ""

    def rows(self, keys: Keys) -> dict[str, Schema]:
        """Return the rows of a table: its keys. Parameters have further names."""
        from keras_sweep.space_file.parameters import KINDS

        rows = dict(keys.form["properties"])
        if keys.path == ("parameters",):
            rows |= {name: {"description": "an argument of the loss"} for name in KINDS if name not in rows}
            rows |= {name: {"description": text} for name, text in ANY_NAME.items()}
        return rows

    def make(self) -> str:
        """Return the page."""
        from keras_sweep.space_file.sections import SKIPPED_KEYS

        body = [part for name, inner in self.schema["properties"].items() if name not in SKIPPED_KEYS
                for part in self._section(name, inner)]  # fmt: skip
        top = self.tables[(), self.schema["title"]]
        skipped = [
            (f"`{name}`", cell(text.format_map(Words())), example(top, name)) for name, text in SKIPPED_KEYS.items()
        ]
        parts = [
            "# Space file",
            "A space file is YAML 1.2 in UTF-8. `sweep check FILE` lists every fault at once. "
            "`sweep check --schema` prints the JSON Schema of this page: an editor completes and checks with it.",
            "Each example is the key with its value. It links to the page that shows the whole file. "
            "[Example space files](examples.md) has files that run.",
            table(
                ("section", "needed", "example"),
                [
                    (
                        f"[`{name}`](#{name})",
                        self.needed(name),
                        example(top, name),
                    )
                    for name in self.schema["properties"]
                    if name not in SKIPPED_KEYS
                ],
            ),
            *body,
            "## Keys of a W&B sweep file",
            "`sweep` skips these keys of a W&B sweep file, with a notice.",
            table(("key", "use instead", "example"), skipped),
        ]
        if self.lists:
            parts.append("## Lists of names")
        for names, heading in self.lists.items():
            parts += [f"### {heading}", ", ".join(f"`{name}`" for name in names)]
        return "\n\n".join(parts) + "\n"

    def needed(self, name: str) -> str:
        """Return whether a file needs a section."""
        if name in self.schema["else"]["required"]:
            return "required without `objective`"
        return "required" if name in self.schema["required"] else "optional"

    def _section(self, name: str, section: Schema) -> Iterator[str]:
        yield f"## {name} {{: #{name} }}"
        own = [keys for (path, _), keys in self.tables.items() if path[:1] == (name,)]
        if text := section.get("description"):
            yield sentence(text)
        kind = "map from parameters to values, lists or maps" if name == "parameters" else self.kind(section, name)
        yield f"Type: {kind}; {self.needed(name)}. Example: {example(self.tables[(), self.schema['title']], name)}"
        count = Counter(keys.path for keys in own)
        for keys in sorted(own, key=lambda keys: keys.path == ("parameters",)):  # the forms of a parameter first
            if keys.path == ("parameters",):
                yield from self._parameter_tables(keys)
                continue
            place = ".".join(keys.path).replace("parameters.*", "a parameter")
            about = sentence(keys.form.get("description", ""))
            if count[keys.path] > 1:
                yield f"### {place}: {self._short(keys)}"
            elif len(keys.path) > 1:
                yield f"### {place}"
            if about and about != sentence(section.get("description", "")):
                yield about
            yield self._table(keys)

    def _parameter_tables(self, keys: Keys) -> Iterator[str]:
        from keras_sweep.space_file.parameters import FIT_ARGUMENTS

        groups: dict[str, list[str]] = {}
        for name in self.rows(keys):
            prefix = name.partition(".")[0]
            group = "Training" if name in FIT_ARGUMENTS else PARAMETER_GROUPS.get(prefix, "Arguments of optimizers")
            groups.setdefault(group, []).append(name)
        for group, names in groups.items():
            yield f"### Parameters: {group[0].lower() + group[1:]}"
            yield self._table(keys, names)

    def _short(self, keys: Keys) -> str:
        """Return what tells a form from the others of its place: its required keys."""
        required = keys.form.get("required") or list(keys.form["properties"])[2:4]
        others = {"target", "database"} if keys.path == ("data",) else set()
        return ", ".join(f"`{name}`" for name in required if name not in others)

    def _table(self, keys: Keys, names: Collection[str] = ()) -> str:
        required = set(keys.form.get("required", ()))
        rows = []
        for name, inner in self.rows(keys).items():
            if names and name not in names:
                continue
            label = ".".join((*keys.path, name))
            text, default = self._meaning(label, inner), default_of(name, inner, required)
            if keys.path == ("parameters",):
                inner, default = read_kind(name), default_of_parameter(name)
            kind = "any value" if name in ANY_NAME else self.kind(inner, label.removeprefix("parameters."))
            rows.append((f"`{name}`", kind, default, cell(text), example(keys, name)))
        return table(("key", "type", "default", "meaning", "example"), rows)

    def _meaning(self, label: str, schema: Schema) -> str:
        """Return what a key means: as the schema says, else as the schema of the map that it is."""
        texts = [schema.get("description", ""), *(form.get("description", "") for form in self.read_maps(schema))]
        place, _, key = label.removeprefix("parameters.").replace("model.", "model.dense.").rpartition(".")
        if place and label.startswith("parameters."):  # a key of another section, as a parameter
            forms = [keys.form["properties"] for keys in self.tables.values() if keys.path == tuple(place.split("."))]
            texts = [form[key].get("description", "") for form in forms if key in form] + texts
        return next(filter(None, texts), "")

    def kind(self, schema: Schema, name: str) -> str:
        """Describe in words what a value may be."""
        if "enum" in schema:
            names = tuple(str(value) for value in schema["enum"])
            if len(names) <= MOST_NAMES:
                return ", ".join(f"`{value}`" for value in names)
            heading = self.lists.setdefault(names, f"Names of `{name}`")
            return f"[name](#{anchor_of(heading)})"
        if "const" in schema:
            return f"`{schema['const']}`"
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return "any value" if name == "Value" else "map"
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                kinds = dict.fromkeys(self.kind(form, name) for form in schema[key])
                fractions = {kind for kind in kinds if kind.startswith("number")}
                return " or ".join(kind for kind in kinds if kind.removeprefix("whole ") not in fractions - {kind})
        kind = schema.get("type", "")
        if kind == "array":
            items = self.kind(schema["items"], name) if schema.get("items") else ""
            return f"list of {PLURALS.get(items, items)}" if items else "list"
        words = {
            "string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`",
            "object": "map", "null": "`null`",
        }  # fmt: skip
        signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
        bounds = ", ".join(f"{sign} {schema[key]:,}" for key, sign in signs.items() if key in schema)
        return f"{words.get(kind, 'any value')} {bounds}".strip().replace("<", "&lt;")


def anchor_of(heading: str) -> str:
    """Return the anchor that the site gives a heading."""
    return re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-")


def read_kind(name: str) -> Schema:
    """Return the JSON Schema of a parameter's values."""
    from keras_sweep.space_file.parameters import KINDS

    return KINDS[name].json_schema() if name in KINDS else {}


def default_of_parameter(name: str) -> str:
    """Return what a trial has if the space file leaves the parameter out."""
    from keras_sweep.space.sweep_spec import DEFAULT_OPTIMIZER
    from keras_sweep.trial.plan import DEFAULT_BATCH_SIZE, DEFAULT_EPOCHS

    known = {"optimizer": DEFAULT_OPTIMIZER, "epochs": DEFAULT_EPOCHS, "batch_size": DEFAULT_BATCH_SIZE}
    words = {"schedule": "`constant`", "warmup": "`0.0`", "seed": "`search.seed`"}
    section = name.partition(".")[0]
    other = f"as under `{section}`" if section in ("data", "model", "training") else "as in Keras"
    return f"`{known[name]}`" if name in known else words.get(name, other)


class Words(dict[str, str]):
    """The values of holes in the texts about W&B's keys: the hole itself, in capitals."""

    def __missing__(self, key: str) -> str:
        return key.upper()


def default_of(name: str, schema: Schema, required: set[str]) -> str:
    """Return a key's default as a cell."""
    from keras_sweep.space_file.options import dump_block_yaml

    if name in required:
        return "required"
    if schema.get("default") in (None, "", []):
        return "not set"
    return "`" + dump_block_yaml({"": schema["default"]}, flow=True).strip()[1:-1].partition(": ")[2] + "`"


def example(keys: Keys, name: str) -> str:
    """Return the example of a key as a cell: YAML, linked to the page that has it."""
    text, page = keys.examples.get(name, ("", ""))
    if not text:
        return ""
    code = f"`{text}`".replace("|", "\\|")
    return f"[{code}]({page})" if page else code


def sentence(text: str) -> str:
    """Return a description as a sentence."""
    text = cell(text)
    return text and text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def write_yaml(name: str, value: Any) -> str:
    """Write a key and its value in a line. A long map is cut."""
    from keras_sweep.space_file.options import dump_block_yaml

    def write(value: Any) -> str:
        return dump_block_yaml({name: value}, flow=True, width=10_000).strip()[1:-1]

    text, shown = write(value), value
    while len(text) > LONGEST and isinstance(shown, dict) and len(shown) > 1:
        shown = dict(list(shown.items())[:-1])
        text = write(shown)[:-1] + ", ...}"
    return text


def read_space_files() -> Iterator[tuple[str, str]]:
    """Yield (text, link) of the space files that pages show, and of the example files."""
    for path in [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        link = "../index.md" if path.name == "README.md" else f"../{path.relative_to(ROOT / 'docs').as_posix()}"
        for text in YAML.findall(path.read_text()):
            yield text, link
    for path in sorted((ROOT / "search_spaces").glob("*.yaml")):
        yield path.read_text(), f"examples.md#{path.stem.replace('_', '-')}"


def read_more_examples() -> list[str]:
    """Return the examples that no other page shows, without the base."""
    return MORE_EXAMPLES.read_text().split("---\n")[1:]


def complete(text: str) -> str:
    """Lay an example over the base: a whole space file."""
    from keras_sweep.space_file.options import dump_block_yaml
    from keras_sweep.space_file.yaml_tree import parse_yaml

    base, over = parse_yaml(MORE_EXAMPLES.read_text().partition("---\n")[0]).plain, parse_yaml(text).plain
    parameters = {**base["parameters"], **over.get("parameters", {})}
    return dump_block_yaml({**base, **over, "parameters": parameters})
