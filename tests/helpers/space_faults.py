"""Bad space files, and the fault that each must be told by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.yaml_file import read_space_file

BadFile = tuple[str, int | None, str, str]  # its text; then line, key and words of a fault that it has
BadFiles = Mapping[str, BadFile]  # by what is bad in it


def check_told(bad: BadFile, folder: Path) -> None:
    """Reading it in a folder, with a small `there.csv` beside it, tells that fault."""
    text, line, key, words = bad
    (folder / "there.csv").write_text("x,y\n1,2\n")
    path = folder / "space.yaml"
    path.write_text(text)
    with pytest.raises(SpaceFileError) as caught:
        read_space_file(path)
    assert caught.value.exit_code == 2
    faults = caught.value.faults
    found = [fault for fault in faults if words in fault.text(path) and (fault.line, fault.key) == (line, key)]
    if key.endswith("."):
        found = [fault for fault in faults if words in fault.text(path) and fault.key.startswith(key)]
    assert found, "\n".join(fault.text(path) for fault in faults)
    assert str(caught.value).startswith(str(path))
