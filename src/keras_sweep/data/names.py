"""The names of data: sets that a space file may name, and kinds of sources. A member's module is imported when read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keras_sweep.space.plugins import Plugins

if TYPE_CHECKING:
    from keras_sweep.data.source import Source
    from keras_sweep.space.sweep_spec import DataSpec

IMAGE_SETS: Mapping[str, str] = {
    "fashion_mnist": "keras_sweep.data.fashion_mnist:FASHION_MNIST",
    "mnist": "keras_sweep.data.mnist:MNIST",
}  # name -> where its `ImageSet` stands
SKLEARN_SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")
DATA_NAMES = (*IMAGE_SETS, *SKLEARN_SETS)

SOURCES: Plugins[Callable[[DataSpec, Path], Source]] = Plugins(
    "source",
    "keras_sweep.sources",
    {
        "csv": "keras_sweep.data.sources:table",
        "parquet": "keras_sweep.data.sources:table",
        "npz": "keras_sweep.data.sources:arrays",
        "python": "keras_sweep.data.sources:function",
    },
)  # kind -> a function of the spec's data and the folder of its file
