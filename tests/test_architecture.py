"""ARCHITECTURE.md, SECURITY.md and the pages about the code name files, tests and functions that exist."""

import ast
import re
from pathlib import Path

import pytest
from docs.drawings import DRAWINGS, FOLDER

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "keras_sweep"
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
ABOUT = {path.stem: path.read_text() for path in (ROOT / "docs" / "about").glob("*.md")}
PAGES = "\n".join([TEXT, *ABOUT.values()])
FILES = sorted(set(re.findall(r"`([\w/]+\.(?:py|json))`", PAGES + (ROOT / "SECURITY.md").read_text())))


def place(file: str) -> Path:
    return ROOT / file if file.startswith(("tests/", "docs/", "benchmarks/")) else PACKAGE / file


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_named_exists(file: str) -> None:
    assert place(file).is_file()


def test_functions_that_are_named_after_a_file_are_in_this_file() -> None:
    named = re.findall(r"`([\w/]+\.py)`,\s+`(\w+)(?:\.(\w+))?`", PAGES)
    assert len(named) >= 20
    for file, name, method in named:
        code = place(file).read_text()
        assert re.search(rf"^(class|def) {name}\b", code, re.MULTILINE), (file, name)
        assert not method or f"def {method}(" in code, (file, method)


def test_names_that_are_to_be_changed_are_in_their_files() -> None:
    """ARCHITECTURE.md: "`NAME` in `file.py`", and "`file.py`: a field of `NAME`, its key in `OTHER`."."""
    named = re.findall(r"`(\w+)` in `([\w/]+\.py)`", PAGES)
    for file, words in re.findall(r"`([\w/]+\.py)`: ([^.|]*)", TEXT):
        named += [(name, file) for name in re.findall(r"`(\w+)`", words)]
    assert len(named) >= 24
    for name, file in named:
        assert re.search(rf"^ *(class |def )?{name}\b", place(file).read_text(), re.MULTILINE), (file, name)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_what_its_script_draws(name: str) -> None:
    """If not: `python docs/drawings.py`."""
    assert (FOLDER / f"{name}.svg").read_text() == DRAWINGS[name]().svg()


def test_every_drawing_is_on_a_page() -> None:
    assert {name for name in DRAWINGS if f"drawings/{name}.svg" in PAGES} == {path.stem for path in FOLDER.iterdir()}


ROWS = [line.split("|")[1:-1] for line in TEXT.split("## Private parts")[1].splitlines() if line.startswith("| ")][1:]
ROOMS = ("training/", "search/keras_tuner/")
ELSEWHERE = {"models/own_compile.py", "process/backend.py"}
PRIVATE = re.compile(r"_(?!exit$|replace$)[a-z]\w*")  # `os._exit` and `_replace` of named tuples are documented
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


def own_names() -> set[str]:
    """The private names that this package gives to its own functions, attributes and fields."""
    names = set()
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names |= {node.attr} if getattr(node.value, "id", "") == "self" else set()
    return names


OWN = own_names()


def foreign_names(file: str) -> set[str]:
    """Private attributes that a file reads or sets on what is not ours, and modules that a package keeps to itself."""
    names = set()
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr) and node.attr not in OWN:
            names.add(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr", "setattr"):
            names |= {one.value for one in node.args[1:2] if isinstance(one, ast.Constant)}
        elif isinstance(node, ast.ImportFrom) and re.search(r"\._?src\b", node.module or ""):
            names.add(node.module)
    return {name for name in names if PRIVATE.fullmatch(name) or ".src." in name or "._src" in name}


def test_the_table_has_every_private_name_of_another_package_and_no_other() -> None:
    said: dict[str, set[str]] = {file: set() for file in TREES}
    for _, what, why, where in ROWS:
        tokens = re.findall(r"`([\w.]+)`", what)
        names = {one if ".src." in one else one.split(".")[-1] for one in tokens}
        private = {name for name in names if PRIVATE.fullmatch(name) or ".src." in name}
        files = re.findall(r"`([\w/]+\.py)`", where)
        assert files and why.strip()
        for file in files:
            said[file] |= private & foreign_names(file)
        code = "".join((PACKAGE / file).read_text() for file in files)
        assert all(name in code for name in names), (what, where)
        assert private <= set().union(*(foreign_names(file) for file in files)), (what, where)
    assert {file: foreign_names(file) for file in TREES} == said


def test_private_names_stand_in_few_rooms() -> None:
    assert {file for file in TREES if foreign_names(file) and not file.startswith(ROOMS)} == ELSEWHERE
