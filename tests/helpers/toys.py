"""A toy member of every registry, each the least that its protocol asks for. Tests also install it as a package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.image_set import ArrayFile, ImageSet
from keras_sweep.data.source import RawRows, Source
from keras_sweep.sweep.export import ExportFormat
from keras_sweep.training.fit.runner import FitRunner


class Middle:
    """A sampler: the middle of every range, then whatever is new."""

    redraws = 1

    def __init__(self, spec: Any) -> None:
        self.space = spec.space

    def begin(self, seed: int, generator: Any) -> None:
        pass

    def draw(self, number: int) -> Any:
        return self.space.at(iter([0.5] * len(self.space.parameters)))

    def drop(self, number: int) -> None:
        pass

    def learn(self, result: Any) -> None:
        pass


class Odd:
    """A pruning rule: trials of odd numbers stop after `min_iter` epochs."""

    def __init__(self, spec: Any, rule: Any) -> None:
        self.epoch = rule.min_iter

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return (self.epoch,) if self.epoch < epochs else ()

    def stops(self, number: int, epoch: int, value: float) -> bool:
        return number % 2 == 1

    def complete(self, number: int) -> None:
        pass


def stripes(data: Any, folder: Path) -> Source:
    """A source: as many rows as its text says, in three classes."""
    y = np.arange(int(data.source)) % 3
    return Source("stripes", RawRows(np.eye(3, dtype=np.float32)[y], y))


def write_files(folder: Path, rows: int = 30) -> ImageSet:
    """Write the files of an image set, and say what it is."""
    import hashlib

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


def _weights_alone(model: Any, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, *model.get_weights())


WEIGHTS = ExportFormat(".npz", _weights_alone, "numpy.load(path)")


class Patient(FitRunner):
    """A runner."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.name = self.name.replace("fit", "toy")


class Count:
    """A view: how many events there were."""

    def __init__(self, console: Any, out: Any) -> None:
        self.console, self.events = console, 0

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *ended: object) -> None:
        self.console.print(f"toy: {self.events} events")

    def __call__(self, event: object) -> None:
        self.events += 1
