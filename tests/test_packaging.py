"""The built packages have what they need, and describe themselves to an index."""

import ast
import os
import re
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.helpers.command import process
from tests.helpers.space_texts import small

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME = f"keras_sweep-{PROJECT['version']}"


def call(*words: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return process(words, cwd, environment).ok().out


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and an sdist of this checkout, by the setuptools that is here or that build brings."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_no_message_names_a_file_that_an_installed_package_lacks() -> None:
    for file in (ROOT / "src").rglob("*.py"):
        tree = ast.parse(file.read_text())
        documented = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
        prose = {id(node.body[0].value) for node in documented if node.body and isinstance(node.body[0], ast.Expr)}
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        told = [node.value for node in texts if id(node) not in prose]
        assert not [text for text in told if "search_spaces/" in text or "examples/" in text], file


def imports_of(file: Path) -> set[str]:
    """The top names of what a module imports, at its start or later."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text)[0].lower() for text in requirements}


def test_every_requirement_is_imported_and_every_import_is_a_requirement_or_in_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    imported = set.union(*map(imports_of, (ROOT / "src").rglob("*.py"))) - sys.stdlib_module_names - {"keras_sweep"}
    by_module = packages_distributions()
    distributions = {name.lower().replace("_", "-") for module in imported for name in by_module.get(module, [module])}
    core, extras = names(project["dependencies"]), names(chain(*project["optional-dependencies"].values()))
    assert core - distributions == {"six"}  # for KerasTuner, which imports it without declaring it
    assert "tensorflow" in extras - core
    brought = {"pydantic-core", "joblib", "ml-dtypes", "dask"}  # by pydantic, scikit-learn, JAX, distributed
    assert distributions - core - extras - brought == {"ipython", "tqdm"}  # used only where a user has them


def test_the_wheel_has_every_module_and_every_file_of_data(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "keras_sweep"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {f"keras_sweep/{path.relative_to(package).as_posix()}" for path in files} <= names


def test_links_and_pictures_of_the_readme_are_absolute_on_an_index(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    about, _, readme = zipfile.ZipFile(wheel).read(f"{NAME}.dist-info/METADATA").decode().partition("\n\n")
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", readme)
    assert len(links) == len(re.findall(r"\]\(", README)) > 20
    for picture, link in links:
        kind, _, place = link.removeprefix(f"{PROJECT['urls']['Source']}/").partition("/main/")
        assert kind == ("raw" if picture else "blob") and (ROOT / place).exists(), link
    assert "Description-Content-Type: text/markdown" in about and "Author: keras-sweep developers" in about


def test_the_sdist_has_every_file_that_its_tests_and_docs_read(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    folders = ("tests", "docs", "examples", "search_spaces", "benchmarks", "reports/dense", ".github")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files = {path.relative_to(ROOT).as_posix() for path in paths if path.is_file() and path.suffix != ".pyc"}
    assert files | {"LICENSE", "README.md", "Makefile", "constraints.txt", "mkdocs.yml"} <= names


@pytest.mark.soak
def test_the_tests_of_the_unpacked_sdist_can_be_collected(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        opened.extractall(tmp_path, filter="data")
    folder = tmp_path / NAME
    said = call(sys.executable, "-m", "pytest", "--collect-only", "-q", cwd=folder)
    assert re.search(r"^[\d,]{4,} tests collected", said, re.MULTILINE), said[-500:]


def test_every_python_that_is_supported_is_tested_in_continuous_integration() -> None:
    jobs = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu", "macos", "windows"]
    assert [f"Programming Language :: Python :: {python}" for python in matrix["python"]] == [
        text for text in PROJECT["classifiers"] if text.startswith("Programming Language :: Python ::")
    ]
    assert PROJECT["requires-python"] == f">={matrix['python'][0]}"
    assert jobs["lint"]["steps"][1]["with"]["python-version"] == matrix["python"][-1]
    extras = re.findall(r"\w+", re.findall(r'"\.\[(.*)\]"', str(jobs["tests"]["steps"]))[0])
    assert set(extras) <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("form", ["*.whl", pytest.param("*.tar.gz", marks=pytest.mark.soak)])
def test_what_was_built_installs_and_runs_a_sweep(form: str, built: Path, tmp_path: Path) -> None:
    """In an environment that has the dependencies of this one and of the package only what was built."""
    (archive,) = built.glob(form)
    venv.create(tmp_path / "venv", with_pip=False)
    python = Path(sysconfig.get_path("scripts", "venv", vars={"base": str(tmp_path / "venv")})) / "python"
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    call(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, archive, cwd=tmp_path)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    code = "import keras_sweep; print(keras_sweep.__file__)"
    assert call(python, "-c", code, cwd=tmp_path).startswith(str(site))
    (tmp_path / "digits.yaml").write_text(small())
    call(python, "-m", "keras_sweep", "run", "digits.yaml", cwd=tmp_path)
    assert (tmp_path / "sweeps" / "digits" / "best.keras").is_file()
