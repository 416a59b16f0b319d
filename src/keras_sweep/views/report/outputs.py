"""Compute the winner's outputs for the report, in a process of its own.

A model may need minutes, or all memory. So `read_outputs` starts `python -m keras_sweep.views.report.outputs FOLDER
PARENT` with a limit. The new process reads `request` in FOLDER, writes `answer`, and ends when process PARENT ends.
"""

import os
import pickle
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from keras_sweep.data.arrays import cut
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.validation_outputs import ValidationOutputs, compute_winner_outputs
from keras_sweep.system.processes import end_with_parent, run_limited
from keras_sweep.trial.result import Result
from keras_sweep.views.terminal.console import error_lines

MOST_SECONDS = 300.0
MOST_MEMORY = 0.75  # of the memory that is free
RANGE_ROWS = 1_000  # training rows, whose range the pictures need


def read_outputs(sweep: OpenSweep, best: Result) -> ValidationOutputs | str:
    """Return the outputs of the winner `best`, or why they are missing. If the caller gave a spec, which may have
    objects of this process, this process computes them, without a limit."""
    import psutil

    try:
        _ = sweep.spec_with_code  # raises if the user does not trust the code
        if sweep.has_own_spec:
            return compute_winner_outputs(sweep, best)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "request").write_bytes(pickle.dumps((sweep.folder, best, sweep.trusts, sweep.backend)))
            command = [sys.executable, "-P", "-m", __name__, place, str(os.getpid())]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            memory = int(MOST_MEMORY * psutil.virtual_memory().available)
            if (reason := run_limited(command, environment, MOST_SECONDS, memory)) is not None:
                return f"the winner's outputs are missing: {reason}"
            outputs: ValidationOutputs | str = pickle.loads((folder / "answer").read_bytes())
            return outputs
    except Exception as error:
        return " ".join(error_lines(error)).removesuffix(".")


def answer_request(folder: Path) -> None:
    """Compute outputs as `request` in `folder` says. Write them, or why they are missing, to `answer`."""
    record, best, trust, backend = pickle.loads((folder / "request").read_bytes())
    answer: ValidationOutputs | str
    try:  # no error of weights, a layer or the user's code may stop the report
        with OpenSweep(record, trust=trust, backend=backend) as sweep:
            outputs = compute_winner_outputs(sweep, best)
        train = outputs.data.train
        few = replace(train, x=cut(train.x, 0, RANGE_ROWS), y=cut(train.y, 0, RANGE_ROWS), weights=None)
        data = replace(outputs.data, train=few, preprocessing=None, stream=None, folds=(), variants={})
        answer = replace(outputs, data=data)
    except Exception as error:
        answer = " ".join(error_lines(error)).removesuffix(".")
    (folder / "answer").write_bytes(pickle.dumps(answer))


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]), Path(sys.argv[1]))
    answer_request(Path(sys.argv[1]))
