"""Python imports this at its start: a process that a test starts sees Windows, too."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "windows.py"))
