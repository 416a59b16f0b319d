"""One process has one Keras backend: the tests run on JAX, others are run in processes of their own.

Hypothesis measures no time, since a machine may do other work at once. In continuous integration its examples are the
same each time, so that a change is judged by itself; by hand they are new, and find what is still wrong.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.compile_effort import use_effort
from tests.helpers.once import made_once  # noqa: F401  # a fixture

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores: PyTorch's threads would wait for each other

settings.register_profile(
    "busy machine",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy machine")

LONG = ("faults", "sweep", "training", "cli", "api")  # folders
LOW_EFFORT = ("training", "sweep")  # folders where tests train much


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: the workers, which take a file at a time, then end at about the same time."""
    here = Path(__file__).parent
    folder = {item: item.path.relative_to(here).parts[0] for item in items}
    items.sort(key=lambda item: LONG.index(folder[item]) if folder[item] in LONG else len(LONG))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures: XLA compiles with low effort where tests train much, but for the long and the careful."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    asked = any(item.iter_markers("full_effort")) or any(item.iter_markers("soak"))
    use_effort(low=folder in LOW_EFFORT and not asked)
