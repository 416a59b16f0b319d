"""README.md says what is so: its blocks run in their order and print what it shows, and what it names is there."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.helpers.command import process
from tests.helpers.pages import blocks, cut, make_keras_home, run_page, shell_lines, words
from tests.helpers.records import ROOT

PAGE = ROOT / "README.md"
README = PAGE.read_text()
SHELL = [line for kind, text in blocks(PAGE) if kind == "sh" for line in shell_lines(text)]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def ran(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """(shown, printed) of each block of somebody who typed all of it."""
    return run_page(PAGE, folder, make_keras_home(tmp_path_factory.mktemp("keras")))


def test_its_blocks_print_what_stands_below_them(ran: list[tuple[str, str]]) -> None:
    assert len(ran) >= 5
    for shown, printed in ran:
        assert words(shown) == words(cut(printed, shown)), printed


def test_its_record_opens_in_optuna(ran: list[tuple[str, str]], folder: Path) -> None:
    (text,) = [text for text in INLINE if text.startswith("optuna ")]
    command = [str(Path(sys.executable).with_name("optuna")), *shlex.split(text)[1:]]
    assert ran and "COMPLETE" in process(command, folder).ok().out


def test_its_make_targets_environment_and_space_file_are_there() -> None:
    assert {kind for kind, _ in blocks(PAGE)} == {"sh", "text", "python", "yaml"}
    assert {line[0] for line in SHELL} == {"make", "source", "sweep"}
    assert ["source", ".venv/bin/activate"] in SHELL and "\nVENV := .venv\n" in (ROOT / "Makefile").read_text()
    targets = {line[1]: process(["make", "-n", line[1]]).ok().out for line in SHELL if line[0] == "make"}
    assert "sweep run search_spaces/dense.yaml" in targets.pop("run") and "pytest" in targets.pop("test")
    assert not targets
    ((first, *lines),) = [text.splitlines() for kind, text in blocks(PAGE) if kind == "yaml"]
    there = (ROOT / first.removeprefix("# ")).read_text().splitlines()
    assert lines == [line for line in there if not line.startswith("#")], "the space file is the one that is there"


def test_links_and_extras_are_there_and_it_is_short() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    extras = re.findall(r"'\.\[(\w+)\]'", README)
    assert extras and all(f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text() for extra in extras)
    assert len(re.sub(r"^```text.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL).split()) <= 900


def test_the_pages_say_of_the_time_beside_fit_what_the_benchmark_wrote() -> None:
    command = [sys.executable, "benchmarks/never_slower.py", "--sentence"]
    said = process(command).out.strip()
    assert "of its time" in said
    for page in ("README.md", "docs/honest-and-fast.md", "benchmarks/README.md"):
        assert said in " ".join((ROOT / page).read_text().split()).replace("With cold", "with cold"), page
