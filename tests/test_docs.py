"""What the pages under docs/ say is so: each block of code runs, in its order, and prints what the page shows."""

import re
from pathlib import Path

import pytest

from keras_sweep.space_file.read import read_space_file
from tests.helpers.pages import blocks, cut, make_keras_home, run_page, words
from tests.helpers.records import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def of_kind(page: str, *kinds: str) -> list[str]:
    return [text for kind, text in blocks(DOCS / page) if kind in kinds]


@pytest.fixture(scope="session")
def keras_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keras_home(tmp_path_factory.mktemp("keras"))


def test_every_page_stands_in_the_navigation_and_every_block_is_of_a_kind_that_is_run_here() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1]
    assert [page for page in PAGES if page not in navigation] == []
    assert {kind for page in PAGES for kind, _ in blocks(DOCS / page)} == {"python", "sh", "text", "yaml"}


@pytest.mark.parametrize("page", [page for page in PAGES if of_kind(page, "yaml")])
def test_a_space_file_that_is_shown_is_one(page: str) -> None:
    for text in of_kind(page, "yaml"):
        assert read_space_file(ROOT / "search_spaces" / "shown.yaml", text=text).space.parameters


def test_the_lesson_of_the_tutorial_is_the_main_job() -> None:
    (text,) = of_kind("tutorial.md", "yaml")
    assert text == re.sub(r"^#.*\n", "", (ROOT / "search_spaces" / "dense.yaml").read_text(), flags=re.MULTILINE)


RUN = [page for page in PAGES if of_kind(page, "python", "sh")]
# Some that take little; the long form has all. What the others show has tests of its own.
IN_SHORT = {f"how-to/{name}.md" for name in ("first-space-file", "leaks", "resume", "tables")}


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=() if page in IN_SHORT else pytest.mark.soak) for page in RUN]
)
def test_commands_and_code_of_a_page_run_in_their_order_and_print_what_stands_below_them(
    page: str, tmp_path: Path, keras_home: Path
) -> None:
    for shown, printed in run_page(DOCS / page, tmp_path, keras_home):
        assert words(shown) == words(cut(printed, shown)), printed
