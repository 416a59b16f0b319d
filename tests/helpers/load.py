"""A long search in one process: `python -m tests.helpers.load cheap|real|clipped FOLDER TRIALS`; prints JSON.

The resident memory in MiB after a tenth of the trials, half and all of them; of cheap trials also what seconds of the
processor they took. The engine, the loop and the record are real: a cheap trial is a formula with the weights of a
one-layer model. Of clipped ones each has a program of its own, for where gradients are clipped is compiled in.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"

import keras_sweep as ks
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.sweep.events import TrialEnded
from keras_sweep.sweep.resume import open_study
from keras_sweep.trial.events import Event
from keras_sweep.trial.result import Result
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.in_memory_record import Formula, searched
from tests.helpers.space_texts import small

OPTIMIZERS = {
    "real": "optimizer: {values: [sgd, rmsprop, adam]}",
    "clipped": "optimizer: sgd, clipvalue: {min: 0.5, max: 2.0}",
}


class Cheap(Formula):
    def run(self, *asked: Any) -> Iterator[Result]:
        for result in super().run(*asked):
            yield replace(result, weights=(np.zeros((784, 10), np.float32), np.zeros(10, np.float32)))


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def cheap(folder: SweepFolder, trials: int) -> dict[str, float]:
    spec = make_spec((OPTIMIZER, LEARNING_RATE), sampler="random")
    sizes, opened, took = {}, {}, {}
    for total in (0, trials // 10, trials, trials + 1):
        begun = time.process_time()
        with SweepLock(folder), open_study(folder, spec, "abc") as study:
            record = TrialRecord(study, spec.objective)
            opened[total] = time.process_time() - begun
            searched(spec, Cheap(generation=16), total, record=record)
            sizes[total] = resident()
        took[total] = time.process_time() - begun
    return {
        "opened": opened[trials],
        "resumed": took[trials + 1],
        "tenth": sizes[trials // 10],
        "end": sizes[trials],
        "mb": folder.study.stat().st_size / 1e6,
    }


def trained(folder: Path, trials: int, optimizer: str) -> dict[str, float]:
    parameters = f"{{{optimizer}, learning_rate: {{min: 1e-4, max: 0.3, log: true}}, batch_size: 256, epochs: 1}}"
    space = folder / "many.yaml"
    space.write_text(small(parameters=parameters, search=f"{{sampler: random, trials: {trials}, seed: 42}}"))
    sizes: dict[int, float] = {}

    def listener(event: Event) -> None:
        if isinstance(event, TrialEnded):
            sizes[event.result.number + 1] = resident()

    ks.run(space, sweeps_dir=folder, listener=listener)
    return {"tenth": sizes[trials // 10], "half": sizes[trials // 2], "end": sizes[trials]}


if __name__ == "__main__":
    kind, place, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    is_cheap = kind == "cheap"
    found = cheap(SweepFolder(place / "large"), count) if is_cheap else trained(place, count, OPTIMIZERS[kind])
    print(json.dumps(found))  # noqa: T201
