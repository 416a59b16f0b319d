"""The page of all commands: their options from the command itself, their examples from what the other pages run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import cell, table

ROOT = Path(__file__).parents[1]
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Examples of options that no page shows.
MORE_EXAMPLES = """
sweep --version
sweep run search_spaces/plants.yaml --debug
sweep --install-completion
sweep --show-completion
sweep init --example digits -o digits.yaml
sweep init --wandb wandb_sweep.yaml -o lesson.yaml
sweep check --schema
sweep check lesson.yaml --set epochs.max=50 --set learning_rate.max=0.1
sweep check my_space.yaml --probe
sweep check lesson.yaml --runner fit --backend tensorflow --workers 2
sweep check lesson.yaml --sweeps-dir /data/sweeps
sweep run lesson.yaml --more 16
sweep run lesson.yaml --for 10m
sweep run lesson.yaml --name by-bayes --engine keras-tuner --sampler bayesian
sweep run lesson.yaml --name by-torch --backend torch --seed 7
sweep run lesson.yaml --fresh --max-failures 3
sweep run lesson.yaml --no-test --quiet
sweep run lesson.yaml --force
sweep run lesson.yaml --times
sweep run lesson.yaml --json > events.jsonl
sweep run lesson.yaml --workers dask://10.0.0.5:8786 --sweeps-dir /data/sweeps
sweep list --format json
sweep list --sweeps-dir /data/sweeps
sweep leaderboard lesson --sort -learning_rate --format csv
sweep leaderboard lesson --sweeps-dir /data/sweeps
sweep show lesson 12 --format json
sweep show lesson --sweeps-dir /data/sweeps
sweep report lesson -o public --trust
sweep report lesson --watch --sweeps-dir /data/sweeps
sweep log lesson --to mlflow --follow
sweep log lesson --to tensorboard -o logs --trust
sweep log lesson --to wandb --sweeps-dir /data/sweeps
sweep evaluate lesson --trust --backend jax
sweep evaluate lesson --format json --sweeps-dir /data/sweeps
sweep export lesson --trial 12 --backend jax --trust
sweep export lesson --format litert --quantize int8
sweep export lesson -o best.keras --card README.md --sweeps-dir /data/sweeps
sweep verify best.keras --test --format json
sweep verify best.keras --data-dir data --trust --backend jax
sweep verify best.keras --sweeps-dir /data/sweeps
sweep replay lesson 12 --runner compiled --workers 2
sweep replay lesson 12 --script --rows rows.npz
sweep replay lesson --trust --backend torch --format json
sweep replay lesson --sweeps-dir /data/sweeps
sweep compare lesson narrow --format json
sweep compare lesson narrow --sweeps-dir /data/sweeps
sweep dashboard lesson --port 8081
sweep dashboard lesson --sweeps-dir /data/sweeps
sweep data digits --picture digits.png
sweep data digits --save rows.npz
sweep data search_spaces/plants.yaml --set data.drop='[wild]' --sweeps-dir /data/sweeps
sweep baseline search_spaces/plants.yaml
sweep baseline search_spaces/plants.yaml --name plants --format json
sweep baseline search_spaces/plants.yaml --set split.seed=7 --sweeps-dir /data/sweeps
sweep import study.db --study mnist --name earlier
sweep import study.db --space lesson.yaml
sweep import study.db --metric val_accuracy --sweeps-dir /data/sweeps
"""


GENERAL = ("version", "debug", "install_completion", "show_completion")  # options without a command


@dataclass(frozen=True)
class Example:
    """A line of a shell, with the page that runs it."""

    line: str
    page: str = ""  # "how-to/search.md"; "" if no page runs it

    @property
    def words(self) -> list[str]:
        """Its words without comments and what follows `>`."""
        words = shlex.split(self.line, comments=True)
        return words[: words.index(">")] if ">" in words else words

    def uses(self, parameter: Any) -> bool:
        """Tell whether the line has the option."""
        names = {*parameter.opts, *parameter.secondary_opts}
        return any(word.split("=")[0] in names for word in self.words)


def read_examples() -> list[Example]:
    """Return the commands that pages run, page by page, then the others."""
    pages = [ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
    shown = [
        Example(line.strip(), "index.md" if page.name == "README.md" else page.relative_to(ROOT / "docs").as_posix())
        for page in pages
        for block in SHELL.findall(page.read_text())
        for line in block.splitlines()
        if line.startswith("sweep ")
    ]
    return [*shown, *map(Example, MORE_EXAMPLES.split("\n")[1:-1])]


def choose_examples(command: Any, examples: list[Example]) -> list[Example]:
    """Choose few of a command's examples that together show each of its options. Examples that pages run come first."""
    chosen = examples[:1]
    for parameter in command.params:
        if parameter.param_type_name == "option" and not any(example.uses(parameter) for example in chosen):
            chosen += [example for example in examples if example.uses(parameter)][:1]
    return chosen


def make_page() -> str:
    """Return the page."""
    group, examples = read_group(), read_examples()
    parts = [
        "# Commands",
        "Each command calls one function of [the Python API](python.md). The command's options are the function's "
        "keywords. `sweep COMMAND --help` prints a command's options.",
        table(
            ("exit code", "meaning"),
            [
                ("0", "The command did its work."),
                ("1", "The command ran and failed. `sweep verify` and `sweep replay`: the numbers differ."),
                ("2", "The call or a file is wrong."),
                ("3", "Another process runs this sweep."),
                ("130", "Ctrl-C or a signal stopped the command."),
            ],
        ),
        "The answer goes to stdout. Progress and errors go to stderr. [Errors](errors.md) lists what an error means.",
        "Several examples use `lesson.yaml` of [the tutorial](../tutorial.md).",
        "## sweep",
        "Options without a command:",
        _option_table(group),
        *_example_block(group, [example for example in examples if example.words[1].startswith("-")], debug=examples),
    ]
    for name, command in group.commands.items():
        parts += _command(name, command, [example for example in examples if example.words[1] == name])
    return "\n\n".join(parts) + "\n"


def read_group() -> Any:
    """Return the group of all commands."""
    import typer

    from keras_sweep.cli.main import app

    group: Any = typer.main.get_command(app)
    return group


def _command(name: str, command: Any, examples: list[Example]) -> Iterator[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    words = [word.metavar + " ..." * (word.nargs < 0) if word.required else f"[{word.metavar}]" for word in arguments]
    yield f"## sweep {name}"
    yield cell(command.help or "")
    yield f"`{' '.join(['sweep', name, *words, '[OPTIONS]'])}`"
    yield "In Python: `" + command.epilog.removeprefix("In Python: ") + "`"
    yield _option_table(command)
    yield from _example_block(command, examples)


def _option_table(command: Any) -> str:
    head = ("option", "in Python", "default", "meaning")
    return table(head, [_option(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)])


def _example_block(command: Any, examples: list[Example], debug: list[Example] | None = None) -> Iterator[str]:
    chosen = choose_examples(command, [*examples, *(debug or ())])
    yield "Examples:" if len(chosen) > 1 else "Example:"
    lines = "\n".join(example.line for example in chosen)
    yield f"```sh\n{lines}\n```"
    pages = list(dict.fromkeys(example.page for example in [*chosen, *examples] if example.page))
    if pages:
        links = ", ".join(f"[{_title(page)}](../{page})" for page in pages[:4])
        yield f"More: {links}"


def _title(page: str) -> str:
    """Return the title of a page."""
    path = ROOT / "README.md" if page == "index.md" else ROOT / "docs" / page
    return path.read_text().split("\n", 1)[0].removeprefix("# ")


def _option(parameter: Any) -> tuple[str, str, str, str]:
    """Return the cells of an option or an argument: its names, its keyword, its default, what it means."""
    from keras_sweep.api.edge import keyword_of

    is_argument = parameter.param_type_name == "argument"
    is_flag = getattr(parameter, "is_flag", False)
    value = "" if is_flag or is_argument or parameter.name in GENERAL else f" {parameter.metavar}"
    names = [parameter.metavar] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    text, default = cell(getattr(parameter, "help", None) or ""), parameter.show_default
    if parameter.required:
        default = "required"
    elif not isinstance(default, str):
        default = "off" if is_flag else f"`{parameter.default}`" if parameter.default is not None else "not set"
    elif parameter.envvar:
        default = f"`${parameter.envvar}`, or `{default}`"
    keyword = keyword_of(parameter.name if is_argument else names[0].lstrip("-"))
    # Options that say how a command prints have no keyword.
    if parameter.name in (*GENERAL, "probe") or (keyword == "format" and "table" in text):
        keyword = ""
    shown = ", ".join(f"`{name}{value}`" for name in names)
    return shown, keyword and f"`{keyword}`", default, text
