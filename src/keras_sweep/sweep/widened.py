"""Whether a sweep could have been run with a changed space file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.read import read_space_text


def allows_setting(attributes: Mapping[str, Any], setting: str) -> bool:
    """Whether the recorded space file has no fault with `--set SETTING`. It follows nothing that the file names."""
    try:
        read_space_text(str(attributes["space"]), path=Path("space.yaml"), sets=[setting])
    except SpaceFileError:
        return False
    return True
