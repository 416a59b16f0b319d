"""Looking at a record starts at once: nothing heavy is imported on the way."""

import sys

import pytest

from tests.helpers.command import process

HEAVY = ("keras", "jax", "tensorflow", "torch", "sklearn", "optuna", "sqlalchemy", "numpy", "scipy", "polars", "plotly")
COMMAND = """
import sys
from keras_sweep.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code == 0, ended.code
"""
LOADED = "\nprint(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize(
    "call", [["leaderboard"], ["leaderboard", "--format", "json"], ["list"], ["show", "digits", "0"]]
)
def test_a_reading_command_imports_nothing_heavy(finished, call):
    loaded = process([sys.executable, "-c", COMMAND + LOADED, *call], finished).ok().err.split()
    assert not {*HEAVY, "keras_sweep.space.sweep_spec"} & set(loaded)  # whose models take time to make


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("import sys, keras_sweep; assert keras_sweep.Spec is not None", {"rich", "pydantic", "sqlite3"}),
        ("import sys, keras_sweep.search.engines", {"keras_tuner"}),
    ],
)
def test_importing_the_package_or_the_names_of_samplers_imports_nothing_heavy(code, more):
    assert not {*HEAVY, *more} & set(process([sys.executable, "-c", code + LOADED]).ok().err.split())
