"""Files as the data of a `Spec`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Csv:
    """A CSV file with a header; `target` is the column of labels."""

    path: str | os.PathLike[str]
    target: str

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        return {"csv": _full(self.path), "target": self.target}


@dataclass(frozen=True, slots=True)
class Parquet:
    """A Parquet file; `target` is the column of labels."""

    path: str | os.PathLike[str]
    target: str

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        return {"parquet": _full(self.path), "target": self.target}


@dataclass(frozen=True, slots=True)
class Npz:
    """A NumPy .npz file with `x` and `y` (or `x_train`, `y_train`, ...); `target` where the labels are not `y`."""

    path: str | os.PathLike[str]
    target: str | None = None

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        return {"npz": _full(self.path), **({"target": self.target} if self.target is not None else {})}


def _full(path: str | os.PathLike[str]) -> str:
    return str(Path(path).expanduser().absolute())
