"""The names of data: sets that a space file may name, and kinds of sources. A member's module is imported when read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from keras_sweep.space.registry import Registry

if TYPE_CHECKING:
    from keras_sweep.data.image_set import ImageSet
    from keras_sweep.data.source import Source
    from keras_sweep.space.sweep_spec import DataSpec

IMAGE_SETS: Registry[ImageSet] = Registry(
    "an image set",
    "keras_sweep.image_sets",
    {
        "fashion_mnist": "keras_sweep.data.fashion_mnist:FASHION_MNIST",
        "mnist": "keras_sweep.data.mnist:MNIST",
    },
)

SKLEARN_SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")

SOURCES: Registry[Callable[[DataSpec, Path], Source]] = Registry(
    "a source",
    "keras_sweep.sources",
    {
        "csv": "keras_sweep.data.sources:table",
        "parquet": "keras_sweep.data.sources:table",
        "npz": "keras_sweep.data.sources:arrays",
        "python": "keras_sweep.data.sources:function",
    },
)  # kind -> a function of the spec's data and the folder of its file


class _DataNames(Collection[str]):
    """Image sets and the sets of scikit-learn."""

    def __contains__(self, name: object) -> bool:
        return name in SKLEARN_SETS or name in IMAGE_SETS

    def __iter__(self) -> Iterator[str]:
        yield from IMAGE_SETS
        yield from SKLEARN_SETS

    def __len__(self) -> int:
        return len(IMAGE_SETS) + len(SKLEARN_SETS)


DATA_NAMES = _DataNames()
