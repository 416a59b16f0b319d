"""Many real trials in one process: `python -m tests.helpers.many_trials FOLDER TRIALS [clipvalue]`; prints JSON.

The resident memory after a tenth of the trials, half and all of them. With `clipvalue`, a number that is compiled in,
every trial has a program of its own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.run import RunOptions, run_sweep
from keras_sweep.trial.events import Event, TrialEnded
from keras_sweep.trial.wall_time import WallTime
from tests.helpers.large_record import resident
from tests.helpers.space_texts import small

OPTIMIZERS = ("optimizer: {values: [sgd, rmsprop, adam]}", "optimizer: sgd, clipvalue: {min: 0.5, max: 2.0}")


def main(folder: Path, trials: int, *, clipvalue: bool) -> dict[str, float]:
    """Run so many trials; MiB after a tenth and at the end."""
    space = folder / "many.yaml"
    optimizer = OPTIMIZERS[clipvalue]
    parameters = f"{{{optimizer}, learning_rate: {{min: 1e-4, max: 0.3, log: true}}, batch_size: 256, epochs: 1}}"
    space.write_text(small(parameters=parameters, search=f"{{sampler: random, trials: {trials}, seed: 42}}"))
    sizes: dict[int, float] = {}

    def emit(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.result.number + 1 in (trials // 10, trials // 2, trials):
            sizes[event.result.number + 1] = resident()

    with StopRequest() as stop:
        run_sweep(read_space_file(space), SweepFolder(folder / "many"), RunOptions(), emit, WallTime(), stop)
    return {"tenth": sizes[trials // 10], "half": sizes[trials // 2], "end": sizes[trials]}


if __name__ == "__main__":
    found = main(Path(sys.argv[1]), int(sys.argv[2]), clipvalue="clipvalue" in sys.argv[3:])
    print(json.dumps(found))  # noqa: T201
