"""Specs of data that tests share, and the files of an image set that is made up."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_sweep.data.catalog import make_set_spec
from keras_sweep.data.image_sets import ArrayFile, ImageSet
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.sweep_spec import SweepSpec

TABLES = Path(__file__).parents[2] / "search_spaces" / "data"


def spec_of(data: DataSpec, loss: str = "sparse_categorical_crossentropy", folder: Path | None = None) -> SweepSpec:
    """A spec of the dense model on some data."""
    return replace(make_set_spec("iris"), name="it", data=data, loss=loss, folder=folder or Path())


def csv(folder: Path, header: str, lines: Iterable[str], loss: str = "sparse_categorical_crossentropy") -> SweepSpec:
    """A spec of a table, which is written; its last column is the target."""
    (folder / "it.csv").write_text("\n".join([header, *lines]) + "\n")
    return spec_of(DataSpec("csv", "it.csv", header.split(",")[-1]), loss, folder)


def named(name: str, loss: str | None = None, **split: object) -> SweepSpec:
    spec = make_set_spec(name)
    data = DataSpec("named", name, split=Split(**split))  # type: ignore[arg-type]
    return replace(spec, data=data, loss=loss or spec.loss)


PLANTS = DataSpec("csv", str(TABLES / "plants.csv"), "species")
HOUSES = DataSpec("parquet", str(TABLES / "houses.parquet"), "price")
MOONS = DataSpec("npz", str(TABLES / "moons.npz"))


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
    )


def write_pictures(folder: Path, rows: int, classes: Sequence[str] = ("cat", "dog")) -> None:
    """Write so many PNG files of 12 x 12 pixels: each class has another part that is bright."""
    import keras

    rng = np.random.default_rng(rows)
    for row in range(rows):
        place = folder / classes[row % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 120, (12, 12, 3)).astype("float32")
        picture[:, : 6 + 6 * (row % len(classes))] += 120
        keras.utils.save_img(place / f"{row // len(classes)}.png", picture, scale=False)
