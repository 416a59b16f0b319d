"""Looking at a record starts at once: nothing heavy is imported on the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("keras", "jax", "tensorflow", "torch", "sklearn", "optuna", "sqlalchemy", "numpy", "scipy", "polars", "plotly")
SCRIPT = """
import sys
from keras_sweep.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code == 0, ended.code
print(sorted(name for name in sys.modules if "." not in name or name.startswith("keras_sweep")), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "call", [["leaderboard"], ["leaderboard", "--format", "json"], ["list"], ["show", "digits", "0"]]
)
def test_a_reading_command_imports_nothing_heavy(finished, call):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *call], cwd=finished, env=os.environ, capture_output=True, text=True, check=True
    )
    loaded = done.stderr
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []
    assert "keras_sweep.space.sweep_spec" not in loaded  # its models take time to make
