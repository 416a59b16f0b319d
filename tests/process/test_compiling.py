"""Compiled programs are kept for the next process, in a folder that nobody else can write to."""

from pathlib import Path

import pytest

from keras_sweep.process import compiling
from keras_sweep.process.compiling import Effort, effort, enable_compile_cache, is_known_option
from tests.helpers.command import python
from tests.helpers.ran import ran_as
from tests.helpers.records import ROOT
from tests.helpers.whole_spaces import PLAIN

COMPILE = """\
import jax
from keras_sweep.process.compiling import enable_compile_cache
print(enable_compile_cache())
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
"""


def kept(folder: Path) -> tuple[str, int]:
    """What a process says that keeps its programs in a folder of this cache, and how many files lie there then."""
    done = python(COMPILE, cwd=ROOT, SWEEP_CACHE_DIR=str(folder.parent)).ok()
    return done.out.strip(), len(list(folder.rglob("*"))) if folder.exists() else 0


def test_programs_are_kept_where_the_user_alone_can_write(tmp_path: Path) -> None:
    said, files = kept(tmp_path / "compiled")
    assert said == str(tmp_path / "compiled")
    assert files > 0
    assert (tmp_path / "compiled").stat().st_mode & 0o777 == 0o700
    assert kept(tmp_path / "compiled") == (said, files)  # the second process compiles nothing new


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open" / "compiled").mkdir(parents=True)
    (tmp_path / "open" / "compiled").chmod(0o777)
    assert kept(tmp_path / "open" / "compiled") == ("None", 0)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "compiled").symlink_to(tmp_path / "private", target_is_directory=True)
    assert kept(tmp_path / "link" / "compiled") == ("None", 0)


def test_a_cache_of_the_users_own_is_left_as_it_is(tmp_path: Path) -> None:
    own = f"import jax\njax.config.update('jax_compilation_cache_dir', {str(tmp_path / 'theirs')!r})\n"
    assert python(own + COMPILE, cwd=ROOT, SWEEP_CACHE_DIR=str(tmp_path)).ok().out == "None\n"
    assert not (tmp_path / "compiled").exists()


@pytest.mark.soak
@pytest.mark.parametrize(
    "look",
    [["evaluate", "plain"], ["verify", "sweeps/plain/best.keras"]],
)
def test_commands_that_look_at_a_model_keep_its_programs_too(ran: Path, tmp_path: Path, look: list[str]) -> None:
    code = "import sys; from keras_sweep.cli.main import main; main(sys.argv[1:])"
    python(code, *look, cwd=ran, XDG_CACHE_HOME=str(tmp_path)).ok()
    assert list((tmp_path / "keras-sweep" / "compiled").iterdir())


def test_a_compile_option_that_xla_does_not_know_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "is_known_option", lambda name, value: name == "xla_backend_optimization_level")
    assert Effort.LOW.options == {"xla_backend_optimization_level": 0}
    assert not is_known_option("xla_cpu_of_another_year", True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    ran_as(folder, "plain", PLAIN, trials=1)
    return folder


def test_programs_of_little_work_are_compiled_with_less_effort() -> None:
    asked = {4e6: Effort.LOW, 4.1e6: Effort.MEDIUM, 1e8: Effort.MEDIUM, 1.1e8: Effort.FULL}
    assert {numbers: effort(numbers) for numbers in asked} == asked
    assert [(one.options or {}).get("xla_backend_optimization_level") for one in Effort] == [0, 1, None]


def test_only_a_cpu_is_told_how_much_effort_a_program_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert Effort.LOW.options is None


def test_on_another_backend_than_jax_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    monkeypatch.setattr(compiling, "user_cache", pytest.fail)
    assert enable_compile_cache() is None
