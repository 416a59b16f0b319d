"""A long search of cheap trials in one process: `python -m tests.helpers.large_record FOLDER TRIALS`; prints JSON.

The engine, the loop and the record are real; a trial is a formula with the weights of a one-layer model.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.record.lock import SweepLock
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.sweep.open_record import open_study
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.in_memory_record import searched


class Cheap:
    """Ten epochs of four metrics each, without training."""

    name = "cheap"
    generation = 16

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], *_: object) -> Iterator[Result]:
        """Yield the wanted in order."""
        for one in trials:
            if one.number in wanted:
                draw = np.random.default_rng(one.number)
                names = ("loss", "accuracy", "val_loss", "val_accuracy")
                curve: Mapping[str, Any] = {name: tuple(map(float, draw.random(10))) for name in names}
                weights = (np.zeros((784, 10), np.float32), np.zeros(10, np.float32))
                value = curve["val_accuracy"][-1]
                yield Result(one, TrialState.COMPLETE, value, curve=curve, epoch=10, weights=weights, runner=self.name)

    def keep_only(self, numbers: Collection[int]) -> None:
        """It keeps no state."""


def resident() -> float:
    """MiB of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main(folder: SweepFolder, trials: int) -> dict[str, float]:
    """Run so many trials; what it took."""
    spec = make_spec((OPTIMIZER, LEARNING_RATE), sampler="random")
    sizes, opened, took = {}, {}, {}
    for total in (0, trials // 10, trials, trials + 1):
        begun = time.perf_counter()
        with SweepLock(folder), open_study(folder, spec, "abc") as study:
            record = TrialRecord(study, spec.objective)
            opened[total] = time.perf_counter() - begun
            searched(spec, Cheap(), total, record=record)
            sizes[total] = resident()
        took[total] = time.perf_counter() - begun
    return {
        "seconds": sum(took.values()) - took[trials + 1],
        "opened": opened[trials],
        "resumed": took[trials + 1],
        "tenth": sizes[trials // 10],
        "end": sizes[trials],
        "mb": folder.study.stat().st_size / 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(main(SweepFolder(Path(sys.argv[1]) / "large"), int(sys.argv[2]))))  # noqa: T201
