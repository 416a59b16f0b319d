"""Write a space file for a user's data (`keras_sweep.init`), and check it (`keras_sweep.check`)."""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.api.edge import cut_traceback, cut_tracebacks, warn_of_notices
from keras_sweep.api.run import Changes, Space, read_spec
from keras_sweep.errors import UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.events import Listener, Noticed

if TYPE_CHECKING:
    from keras_sweep.data.search_data import SearchData
    from keras_sweep.sweep.time_estimate import TimeEstimate


@dataclass(frozen=True, slots=True)
class SweepCost:
    """The result of `CheckedSpace.estimate`: the rows of a sweep, and how long the sweep takes on this machine.

    Attributes:
        data: the training and validation rows.
        time: `.seconds` is the expected time of the search; None if every probed trial failed.
        workers: how many worker processes train; None if this process trains.
    """

    data: SearchData
    time: TimeEstimate | None
    workers: int | None


@cut_tracebacks
@dataclass(frozen=True, slots=True)
class CheckedSpace:
    """The result of `check`: a space without faults.

    Attributes:
        spec: the checked space. `.warnings` lists likely mistakes, `.code` the Python functions that a run imports.
    """

    spec: SweepSpec

    def estimate(
        self,
        *,
        backend: str | None = None,
        runner: str | None = None,
        workers: Any = None,
        sweeps_dir: str | os.PathLike[str] | None = None,
        listener: Listener = warn_of_notices,
    ) -> SweepCost:
        """Estimate the time of a run: read the data and train a few trials for an epoch. Arguments are as in `run`.

        Raises:
            UsageError: data, model and space do not fit together, or the runner or the workers do not exist.
        """
        from keras_sweep.sweep.time_estimate import probe_time
        from keras_sweep.training.workers.pool import workers_of

        if self.spec.function:
            raise UsageError("`sweep` can't estimate the time of an objective function", hint="Run a few trials first")
        make = workers_of(workers)
        count = int(workers) if str(workers).strip().isdecimal() else None  # so that no process starts only to count
        choose_backend(backend)
        if make is not None and count is None:
            with closing(make()) as pool:
                count = pool.count()
        sweeps = None if sweeps_dir is None else Path(sweeps_dir)
        return SweepCost(*probe_time(self.spec, listener, runner=runner, sweeps=sweeps), count)


@cut_traceback
def check(space: Space, *, set: Changes | None = None) -> CheckedSpace:
    """Check a space file or a `Spec`, without running or writing anything. Arguments are as in `run`.

    `keras_sweep.check("dense.yaml").spec.warnings` lists likely mistakes; `.estimate()` estimates the time of a run.

    Raises:
        UsageError: the space has faults; the message lists all of them.
    """
    return CheckedSpace(read_spec(space, name=None if isinstance(space, str | os.PathLike) else "Spec", changes=set))


@cut_traceback
def schema() -> dict[str, Any]:
    """Return the JSON Schema of space files. Editors use the schema to complete and check a file while you type."""
    from keras_sweep.space_file.sections import make_space_file_schema

    return make_space_file_schema()


@cut_traceback
def init(
    source: str | os.PathLike[str] | None = None,
    *,
    example: str | None = None,
    target: str | None = None,
    wandb: str | os.PathLike[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    listener: Listener = warn_of_notices,
) -> Path:
    """Write a first space file for your data. It runs without changes, and its comments explain each line.

    Args:
        source: a CSV, Parquet or npz file, or a folder of pictures.
        example: a known data set in place of `source`: "digits".
        target: the column to predict; by default a column with a usual name (`target`, `label`), else the last column.
        wandb: a W&B sweep file, whose search is copied into the new file.
        path: the file to write, which is also returned; by default SOURCE.yaml in the working directory.
        listener: called with a notice for each guess about the data; by default notices are Python warnings.

    Raises:
        UsageError: `source` does not exist, the new file exists, or not exactly one of `source` and `example` is set.
    """
    from keras_sweep.data.source import DATA_NAMES, unknown_name
    from keras_sweep.sweep.init import write_space_file

    if (source is None) == (example is None):
        raise UsageError("`init` needs either SOURCE or `--example`", hint="For example `sweep init --example digits`")
    if example is not None and example not in DATA_NAMES:
        raise unknown_name(example)
    origin = os.fspath(source or example or "")
    place = Path(path or re.sub(r"[^\w.-]+", "_", Path(origin).stem, flags=re.ASCII) + ".yaml")
    notes: list[str] = []
    try:
        if Path(origin).is_dir():  # Keras reads the pictures of a folder
            choose_backend(None)
        write_space_file(origin, place, notes, target=target, wandb=None if wandb is None else Path(wandb))
    # Also after an error: a wrong guess may be its cause.
    finally:
        for text in notes:
            listener(Noticed(text))
    return place
