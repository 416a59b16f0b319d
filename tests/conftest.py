"""One process has one Keras backend: the tests run on JAX, others are run in processes of their own.

Hypothesis measures no time, since a machine may do other work at once. In continuous integration its examples are the
same each time, so that a change is judged by itself; by hand they are new, and find what is still wrong.
"""

import gc
import os
import shutil
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from keras_sweep.process.compiling import Effort

os.environ["KERAS_BACKEND"] = "jax"
for name in [name for name in os.environ if name.startswith(("SWEEPS_DIR", "KERASTUNER_", "MLFLOW_", "WANDB_"))]:
    del os.environ[name]  # the shell's settings are not the tests'
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores: PyTorch's threads would wait for each other

settings.register_profile(
    "busy machine",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy machine")

gc.set_threshold(50_000, 20, 50)  # or a tenth of the time goes into looking through what tracing makes, which lives on

# Folders, and files of none.
LONG = ("faults", "sweep", "contracts", "test_docs.py", "test_search_spaces.py", "ports", "training", "cli", "api")
LOW_EFFORT = ("training", "sweep")  # folders where tests train much


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: the workers, which take a file at a time, then end at about the same time."""
    here = Path(__file__).parent
    folder = {item: item.path.relative_to(here).parts[0] for item in items}
    items.sort(key=lambda item: LONG.index(folder[item]) if folder[item] in LONG else len(LONG))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures: XLA compiles with low effort where tests train much, but for the long and the careful.

    Most of what the tests would wait for is XLA, which optimizes plain fits of a few steps for minutes of training. So
    it is asked for low effort, as lanes with little to do ask for it themselves: a fifth of the time. Both sides that
    are compared are plainer code then. Where the code should be that of a user's own script a test bears the mark
    `full_effort`, as all of test_equals_fit.py does; commands, which are processes of their own, and `make soak`
    compile as ever.
    """
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    is_long = any(item.iter_markers("soak"))
    use_effort(low=folder in LOW_EFFORT and not (is_long or any(item.iter_markers("full_effort"))), anew=is_long)


def use_effort(*, low: bool, anew: bool) -> None:
    """From now on, what names no options of its own is compiled so.

    JAX is imported for it: were it imported by the first test, the sweep that a file's tests share would be compiled
    otherwise than those that are compared with it to the bit. `anew` forgets what was compiled before: in the long form
    a process would have more mappings of memory, some for each program, than Linux lets it have.
    """
    if not low and "jax" not in sys.modules:
        return
    import jax
    from jax._src import compiler

    now = compiler.get_compile_options
    plain = getattr(now, "__wrapped__", now)
    if low == (now is plain):
        compiler.get_compile_options = with_low_effort(plain) if low else plain
        anew = True  # or a program of the tests before might be used, whatever was asked of that one
    if anew:
        jax.clear_caches()
        gc.collect()  # models keep their programs, in circles


def with_low_effort(options: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(options)
    def named(*arguments: Any, env_options_overrides: Any = None, **more: Any) -> Any:
        return options(*arguments, env_options_overrides={**Effort.LOW.value, **(env_options_overrides or {})}, **more)

    return named


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder of that name as a function fills it, once for all workers: a copy for this one."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, fill: Callable[[Path], object]) -> Path:
        original = shared / f"{name}-original"
        with FileLock(shared / f"{name}.lock"):  # others wait until the first has filled it
            if not original.exists():
                filling = shared / f"{name}-filling"
                filling.mkdir()
                fill(filling)
                filling.rename(original)
        return Path(shutil.copytree(original, tmp_path_factory.mktemp(name), dirs_exist_ok=True))

    return made
