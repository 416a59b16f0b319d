"""A toy of every kind that another package may bring, each the least that its protocol asks for."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.source import RawRows, SourceRows
from keras_sweep.search.engine import Sampler
from keras_sweep.search.pruning import PruningRule
from keras_sweep.space.data_spec import Source
from keras_sweep.training.fit.runner import FitRunner


class Middle(Sampler):
    """A sampler: the middle of every range, then whatever is new."""

    def draw(self, number: int) -> Any:
        return self.space.at(iter([0.5] * len(self.space.parameters)))


class Odd(PruningRule):
    """A pruning rule: trials of odd numbers stop after `min_iter` epochs."""

    def __init__(self, spec: Any, rule: Any) -> None:
        self.epoch = rule.min_iter

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return (self.epoch,) if self.epoch < epochs else ()

    def stops(self, number: int, epoch: int, value: float) -> bool:
        return number % 2 == 1


def stripes(data: Any, folder: Path) -> SourceRows:
    """As many rows as the text says, in three classes."""
    y = np.arange(int(data.source)) % 3
    return SourceRows("stripes", RawRows(np.eye(3, dtype=np.float32)[y], y))


STRIPES = Source(read=stripes)  # a source, of rows that are in no file


class Notes:
    """A tracker: the names of runs in a file."""

    place = "notes.txt"

    def __init__(self, sweep: str, output: Path | None) -> None:
        pass

    def marks(self) -> Any:
        return {}

    def log(self, run: Any, files: Any) -> None:
        with Path(self.place).open("a") as file:
            file.write(f"{run.name} ")


class Patient(FitRunner):
    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.name = self.name.replace("fit", "toy")
