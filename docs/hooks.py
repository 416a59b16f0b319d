"""Pages that are made from the project itself when the site is built: the README, the references, the examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {  # files of the repository -> their pages
    "README.md": "index.md",
    "SECURITY.md": "about/security.md",
    "CHANGELOG.md": "about/changes.md",
    "ARCHITECTURE.md": "about/architecture.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "sweeps/README.md": "reference/sweep-folder.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and the pictures that they show."""
    made = {page: page_of(ROOT / source, page) for source, page in PAGES.items()}
    made["reference/space-file.md"] = space_file_page()
    made["reference/commands.md"] = commands_page()
    made["reference/examples.md"] = examples_page()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    pictures = [path for path in (ROOT / "reports" / "dense").iterdir() if path.suffix in (".svg", ".png")]
    for picture in sorted(pictures):
        files.append(File.generated(config, f"reports/dense/{picture.name}", abs_src_path=str(picture)))
    return files


def page_of(source: Path, page: str) -> str:
    """A file of the repository as a page: its links lead to pages where there are such, else they are only text."""
    folder = source.parent.relative_to(ROOT)
    up = "../" * page.count("/")

    def turned(match: re.Match[str]) -> str:
        mark, text, target, anchor = match[1], match[2], match[3], match[4] or ""
        if "://" in target:
            return match[0]
        place = (folder / target).as_posix()
        if mark:
            return f"![{text}]({up}{place.removeprefix('docs/')})"
        if place in PAGES:
            return f"[{text}]({up}{PAGES[place]}{anchor})"
        if place.startswith("docs/"):
            return f"[{text}]({up}{place.removeprefix('docs/')}{anchor})"
        if place.startswith("search_spaces/") and place.endswith(".yaml"):
            return f"[{text}]({up}reference/examples.md#{Path(place).stem.replace('_', '-')})"
        return text

    return LINK.sub(turned, source.read_text())


def examples_page() -> str:
    """Every space file of the repository, as it stands there."""
    parts = ["# Example space files", "Each runs as it is: `sweep run search_spaces/NAME.yaml`."]
    for path in sorted((ROOT / "search_spaces").glob("*.yaml")):
        parts += [f"## {path.stem} {{: #{path.stem.replace('_', '-')} }}", f"```yaml\n{path.read_text().strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def space_file_page() -> str:
    """The sections of a space file with their keys, from the models that read it."""
    from keras_sweep.space_file.sections import make_space_file_schema

    schema = make_space_file_schema()
    parts = [
        "# Space file",
        "YAML 1.2, in UTF-8. `sweep check FILE` lists every fault at once; `sweep check --schema` prints the JSON "
        "Schema that this page is made from, for editors that complete and check while you type.",
    ]
    for name, section in schema["properties"].items():
        parts.append(f"## `{name}`")
        parts += list(_section(section, schema))
    return "\n\n".join(parts) + "\n"


def _section(section: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """A section's sentence, the values it may have, and a table for each map that it may be."""
    if text := section.get("description"):
        yield _cell(text)
    if values := _values(section):
        yield "One of " + ", ".join(f"`{value}`" for value in values) + "."
    for form in _maps(section, schema):
        if form.get("description") and form is not section:
            yield f"**{_cell(form['description'])}**"
        keys = form.get("properties", {})
        parameters = all(_is_parameter(inner, schema) for inner in keys.values())
        yield _table(keys, form, schema, takes=not parameters)
        inner_maps = {} if parameters else {name: list(_maps(inner, schema)) for name, inner in keys.items()}
        for name, maps in inner_maps.items():
            for inner_map in maps if name != "split" else ():
                yield f"Keys of `{name}`:"
                yield _table(inner_map["properties"], inner_map, schema)
        if parameters:
            yield "Each is a value, or a map of one of these forms:"
            for block in _maps(next(iter(keys.values())), schema):
                yield f"**{_cell(block['description'])}**"
                yield _table(block["properties"], block, schema)


def _maps(section: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The maps that the section may be."""
    if "$ref" in section:
        yield from _maps(schema["$defs"][section["$ref"].rpartition("/")[2]], schema)
    for key in ("anyOf", "oneOf", "allOf"):
        for form in section.get(key, ()):
            yield from _maps(form, schema)
    if "properties" in section:
        yield section


def _values(section: Mapping[str, Any]) -> list[str]:
    """The names that it may be, itself, in one of its forms, or in a list."""
    forms = [section, section.get("items", {}), *section.get("anyOf", ()), *section.get("oneOf", ())]
    return [value for form in forms for value in form.get("enum", ())]


def _is_parameter(inner: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    keys = {key for form in _maps(inner, schema) for key in form["properties"]}
    return {"values", "min", "max", "when"} <= keys


def _table(keys: Mapping[str, Any], form: Mapping[str, Any], schema: Mapping[str, Any], *, takes: bool = True) -> str:
    required = set(form.get("required", ()))
    rows = ["| key | takes | default | |", "|---|---|---|---|"] if takes else ["| parameter | |", "|---|---|"]
    for name, inner in keys.items():
        text = _cell(inner.get("description", ""))
        default = "required" if name in required else f"`{inner['default']}`" if "default" in inner else ""
        rows.append(
            f"| `{name}` | {_takes(inner, schema)} | {default} | {text} |" if takes else f"| `{name}` | {text} |"
        )
    return "\n".join(rows)


def _takes(inner: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "enum" in inner:
        return ", ".join(f"`{value}`" for value in inner["enum"])
    if list(_maps(inner, schema)):
        others = [_takes(form, schema) for form in inner.get("anyOf", ()) if not list(_maps(form, schema))]
        return " or ".join([*others, "a map"])
    kind = inner.get("type", "")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {inner[key]}" for key, sign in signs.items() if key in inner)
    return f"{words} {bounds}".strip()


def commands_page() -> str:
    """Every command with its arguments and options, and what they are in Python, from the command itself."""
    import typer

    from keras_sweep.cli.main import app

    group: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        "Exit codes: 0 done, 1 it ran and failed, 2 the call or a file is wrong, 3 another process "
        "runs this sweep, 130 interrupted. The answer goes to stdout, progress and errors to stderr. "
        "Each command calls one function of [the Python API](python.md), and its options are that function's keywords.",
    ]
    for name, command in group.commands.items():
        arguments = " ".join(p.name.upper() for p in command.params if p.param_type_name == "argument")
        parts += [f"## sweep {name}", f"`sweep {name} {arguments}`", _cell(command.help or "")]
        parts.append("In Python: `" + command.epilog.removeprefix("In Python: ") + "`")
        rows = ["| option | in Python | default | |", "|---|---|---|---|"]
        rows += ["| " + " | ".join(_option(parameter)) + " |" for parameter in command.params]
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _option(parameter: Any) -> tuple[str, str, str, str]:
    """The cells of an option or an argument: its names, its keyword, its default, what it means."""
    from keras_sweep.api.edge import keyword_of

    is_argument = parameter.param_type_name == "argument"
    names = [parameter.name.upper()] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    text, default = _cell(getattr(parameter, "help", None) or ""), parameter.show_default
    if not isinstance(default, str):
        default = "" if parameter.default in (None, False) else f"`{parameter.default}`"
    keyword = keyword_of(parameter.name if is_argument else names[0].lstrip("-"))
    if not keyword or (keyword == "format" and "table" in text):  # how a command prints
        keyword = ""
    shown = ", ".join(f"`{name}`" for name in names)
    return shown, keyword and f"`{keyword}`", "required" if parameter.required else default, text


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;").strip()
