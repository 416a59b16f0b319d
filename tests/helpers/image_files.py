"""The files of an image set that is made up."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from keras_sweep.data.image_sets import ArrayFile, ImageSet


def write_files(folder: Path, rows: int = 30) -> ImageSet:
    """Write the files of an image set, and say what it is."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "test"):
        arrays[f"y_{part}"] = np.arange(rows, dtype=np.uint8) % 3
        arrays[f"x_{part}"] = rng.integers(0, 256, (rows, 4, 5), np.uint8)
    np.savez(folder / "toy.npz", **arrays)
    digest = hashlib.sha256((folder / "toy.npz").read_bytes()).hexdigest()
    return ImageSet(
        name="toy",
        title="Toy",
        folder="toy",
        images=ArrayFile("toy.npz", digest, "x_train"),
        labels=ArrayFile("toy.npz", digest, "y_train"),
        test_images=ArrayFile("toy.npz", digest, "x_test"),
        test_labels=ArrayFile("toy.npz", digest, "y_test"),
        class_names=("a", "b", "c"),
        shape=(4, 5),
        test_rows=rows,
        publisher="Nobody",
    )
