"""What the README says is so: its blocks run in their order as they stand, and what it names is there.

They run in a copy of `search_spaces/` in which the searches are short; every command and every line of Python is the
README's own.
"""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from keras_sweep.cli.main import app
from tests.helpers.command import process, python, sweep
from tests.helpers.pages import blocks, with_examples
from tests.helpers.records import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = blocks(ROOT / "README.md")
SHELL = [shlex.split(line, comments=True) for kind, text in BLOCKS if not kind for line in text.splitlines()]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL))
OPTION = r"(?<![\w-])--[a-z]+(?:-[a-z]+)*"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who typed every command of the README's blocks in their order, then ran plants.yaml."""
    folder = with_examples(tmp_path_factory.mktemp("readme"))
    plants = "sweep run search_spaces/plants.yaml"
    assert plants in INLINE
    for words in [*SHELL, shlex.split(plants)]:
        if words[0] == "sweep":
            sweep(*words[1:], cwd=folder).ok()
    return folder


def block(words: str) -> list[str]:
    """The lines of the one block of Python that has these words."""
    (code,) = [text for kind, text in BLOCKS if kind == "python" and words in text]
    return str(code).strip().splitlines()


def test_every_block_is_of_a_kind_that_is_run_here_and_names_what_is_there() -> None:
    assert {kind for kind, _ in BLOCKS} == {"", "python", "yaml"}
    assert [kind for kind, _ in BLOCKS].count("python") == 3, "each block of Python needs a test of its own below"
    assert {words[0] for words in SHELL} == {"make", "source", "sweep"}
    assert ["source", ".venv/bin/activate"] in SHELL and "\nVENV := .venv\n" in (ROOT / "Makefile").read_text()
    targets = {words[1]: process(["make", "-n", words[1]]).ok().out for words in SHELL if words[0] == "make"}
    assert "sweep run search_spaces/dense.yaml" in targets.pop("run") and "pytest" in targets.pop("test")
    assert not targets
    ((first, *lines),) = [text.splitlines() for kind, text in BLOCKS if kind == "yaml"]
    there = (ROOT / first.removeprefix("# ")).read_text().splitlines()
    assert lines == [line for line in there if not line.startswith("#")], "the space file is the one that is there"


def test_the_exported_model_scores_what_the_leaderboard_shows_on_the_rows_that_were_saved(followed: Path) -> None:
    *lines, last = block("rows.npz")
    assert last.startswith("model.evaluate(")
    ended = python("\n".join([*lines, f"scores = {last}", "print(f'{scores[1]:.6f}')"]), cwd=followed).ok()
    card = json.loads((followed / "best.card.json").read_text())
    assert float(ended.out.split()[-1]) == pytest.approx(card["validation"]["val_accuracy"], abs=1e-6)


def test_a_model_of_a_table_predicts_from_its_columns(followed: Path) -> None:
    *lines, last = block("model_inputs")
    assert last.startswith("model.predict(")
    ended = python("\n".join([*lines, f"print(({last}).shape)"]), cwd=followed).ok()
    assert "(600, 3)" in ended.out


def test_the_same_sweep_from_python(followed: Path) -> None:
    code = "\n".join(block("ks.run")).replace("trials=64", "trials=3")
    ended = python(f"{code}\nprint(type(model).__name__, sweep.path)", cwd=followed).ok()
    assert "optimizer" in ended.out
    assert "sweeps/dense" in ended.out


def test_the_record_opens_in_optuna(followed: Path) -> None:
    (text,) = [text for text in INLINE if text.startswith("optuna ")]
    command = [str(Path(sys.executable).with_name("optuna")), *shlex.split(text)[1:]]
    assert "COMPLETE" in process(command, followed).ok().out


def test_commands_and_options_are_those_of_the_command() -> None:
    group: Any = typer.main.get_command(app)
    known = {
        name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in group.commands.items()
    }
    section = README.split("## Commands")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `sweep (\w+)[^`]*` \|(.*)\|$", section, re.MULTILINE)
    assert {name for name, _ in rows} == set(known)
    for name, text in rows:
        assert set(re.findall(OPTION, text)) <= known[name], name
    (run,) = re.findall(r"^`sweep run` takes .*?Exit codes", section, re.MULTILINE | re.DOTALL)
    assert set(re.findall(OPTION, run)) <= known["run"]


def test_links_paths_and_examples_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    for path in INLINE:
        if path.startswith(("tests/", "benchmarks/", "search_spaces/")):
            assert (ROOT / path).exists(), path
    for file in (ROOT / "search_spaces").glob("*.yaml"):
        assert f"(search_spaces/{file.name})" in README, file
    for extra in re.findall(r"'\.\[(\w+)\]'", README):
        assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()


def test_the_pages_say_of_the_time_beside_fit_what_the_benchmark_wrote() -> None:
    command = [sys.executable, "benchmarks/never_slower.py", "--sentence"]
    said = process(command).out.strip()
    assert "of its time" in said
    for page in ("README.md", "docs/honest-and-fast.md", "benchmarks/README.md"):
        assert said in " ".join((ROOT / page).read_text().split()), page
