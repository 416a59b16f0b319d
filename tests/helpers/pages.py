"""README.md and the pages under docs/: their blocks of code, and a folder where their commands run shortly."""

import re
import shutil
from pathlib import Path

from tests.helpers.records import ROOT
from tests.helpers.whole_spaces import FEW_FINALISTS


def blocks(page: Path) -> list[tuple[str, str]]:
    """(kind, text) of each block of code."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def shortened(space: str) -> str:
    """The text of a space file with few trials of few epochs, few finalists, and no third depth of its model."""
    few = re.sub(r"trials: \d+", "trials: 3", space)
    few = re.sub(r"epochs: \{min: \d+, max: \d+", "epochs: {min: 1, max: 2", few)
    few = re.sub(r"epochs: \{max: \d+", "epochs: {max: 3", few)
    few = few.replace("[[], [32], [64, 32]]", "[[], [32]]")
    return few if "finalists:" in few else few + FEW_FINALISTS


def with_examples(folder: Path) -> Path:
    """The folder, with a copy of `search_spaces/` in which searches are short."""
    for path in shutil.copytree(ROOT / "search_spaces", folder / "search_spaces").glob("*.yaml"):
        path.write_text(shortened(path.read_text()))
    return folder
