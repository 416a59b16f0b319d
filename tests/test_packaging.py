"""The built packages hold what they need, and a program that uses the API is checked by its types."""

import ast
import os
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.helpers.command import process
from tests.helpers.space_texts import small

ROOT = Path(__file__).parents[1]
TYPED = """
import keras_sweep as ks

spec = ks.Spec(
    data="digits",
    loss="sparse_categorical_crossentropy",
    maximize="val_accuracy",
    parameters={"learning_rate": ks.Float(1e-3, 1.0, log=True), "epochs": ks.Int(1, 5)},
    search=ks.Optuna("tpe", trials=4),
)


def main() -> None:
    sweep = ks.run(spec, name="typed", seconds=60)
    reveal_type(sweep.best.value)
    reveal_type(sweep.leaderboard(top=3)[0].params)
    ks.Float("low", 1.0)
"""

# Of other packages nothing is read, which takes most of the time: their types are no part of what is asked.
MYPY = """
[mypy]
follow_imports = skip
[mypy-keras_sweep.*]
follow_imports = silent
"""


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


@pytest.mark.soak
def test_the_wheel_holds_every_module_and_every_file_of_data(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "keras_sweep"
    wanted = {
        f"keras_sweep/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert wanted <= held


@pytest.mark.soak
def test_the_sdist_holds_the_tests_and_the_examples(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"tests/helpers/command.py", "search_spaces/dense.yaml", "examples/own_model.py", "LICENSE"} <= names


@pytest.mark.parametrize("form", ["*.whl", pytest.param("*.tar.gz", marks=pytest.mark.soak)])
def test_what_was_built_installs_and_runs_a_sweep(form: str, built: Path, tmp_path: Path) -> None:
    """In an environment that has the dependencies of this one and of the package only what was built."""
    (archive,) = built.glob(form)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    call(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, archive, cwd=tmp_path)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    code = "import keras_sweep; print(keras_sweep.__file__)"
    assert call(python, "-c", code, cwd=tmp_path).startswith(str(site))
    (tmp_path / "digits.yaml").write_text(small())
    call(python, "-m", "keras_sweep", "run", "digits.yaml", cwd=tmp_path)
    assert (tmp_path / "sweeps" / "digits" / "best.keras").is_file()


@pytest.mark.soak
def test_types_of_the_api_are_known_to_a_checker(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mypy.ini").write_text(MYPY)
    options = ("--strict", "--ignore-missing-imports")
    said = process([sys.executable, "-m", "mypy", *options, "typed.py"], tmp_path).out
    lines = [line for line in said.splitlines() if line.startswith("typed.py")]
    assert 'Revealed type is "float | None"' in lines[0]
    assert "Mapping[str" in lines[1]
    assert 'incompatible type "str"; expected "float"' in lines[2]
    assert len(lines) == 3, said
