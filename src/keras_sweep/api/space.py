"""What is done with a space file before it is run: it is written for given data, and checked."""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.api.edge import cut_traceback, cut_tracebacks, warn_of_notices
from keras_sweep.api.run import Changes, Space, spec_of
from keras_sweep.errors import UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.events import Listener, Noticed

if TYPE_CHECKING:
    from keras_sweep.data.search_data import SearchData
    from keras_sweep.sweep.time_estimate import TimeEstimate


@dataclass(frozen=True, slots=True)
class SweepCost:
    """The rows of a sweep, and what it takes to run it here."""

    data: SearchData
    time: TimeEstimate | None  # `.seconds` of the search, and what it is made of; None: every probed trial failed
    workers: int | None  # that train; None: this process


@cut_tracebacks
@dataclass(frozen=True, slots=True)
class CheckedSpace:
    """A space without faults: `.spec.warnings` are what is likely a slip, `.spec.code` is what a run imports."""

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
        """Read the data and train a few trials for an epoch, to estimate the time. Options are as of `run`.

        Raises UsageError: data, model and space do not fit each other, or there is no such runner or worker.
        """
        from keras_sweep.sweep.time_estimate import probe_time
        from keras_sweep.training.workers.pool import workers_of

        make, count = workers_of(workers), None
        choose_backend(backend)
        if make is not None:
            with closing(make()) as opened:
                count = opened.count()
        sweeps = None if sweeps_dir is None else Path(sweeps_dir)
        return SweepCost(*probe_time(self.spec, listener, runner=runner, sweeps=sweeps), count)


@cut_traceback
def check(space: Space, *, set: Changes | None = None) -> CheckedSpace:
    """Check a space file, or a `Spec`; `.spec.warnings` and `.estimate()` say more. Nothing is run or written.

    `set` are changes of the space, as of `run`. Raises UsageError with all faults at once.
    """
    return CheckedSpace(spec_of(space, name=None if isinstance(space, str | os.PathLike) else "Spec", changes=set))


@cut_traceback
def schema() -> dict[str, Any]:
    """The JSON Schema of space files, for editors that complete and check while you type."""
    from keras_sweep.space_file.sections import space_file_schema

    return space_file_schema()


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
    """Write a first space file for your data, which runs as it is: its comments say what each line means.

    Args:
        source: a CSV, Parquet or npz file, or a folder of pictures.
        example: a known data set in place of `source`: "digits".
        target: what to predict; by default the column that is named so, or the last.
        wandb: a W&B sweep file, whose search is taken over.
        path: the file to write, and what is returned; by default SOURCE.yaml in this folder.
        listener: hears what was guessed, as notices; by default they are warnings.

    Raises UsageError: there is no such source, or a file of that name is there.
    """
    from keras_sweep.data.source import DATA_NAMES, unknown_name
    from keras_sweep.sweep.init import write_space_file

    if (source is None) == (example is None):
        raise UsageError("one of SOURCE and `--example` is needed", hint="For example `sweep init --example digits`")
    if example is not None and example not in DATA_NAMES:
        raise unknown_name(example)
    origin = os.fspath(source or example or "")
    place = Path(path or re.sub(r"[^\w.-]+", "_", Path(origin).stem, flags=re.ASCII) + ".yaml")
    notes: list[str] = []
    try:
        if Path(origin).is_dir():  # whose pictures Keras reads
            choose_backend(None)
        write_space_file(origin, place, notes, target=target, wandb=None if wandb is None else Path(wandb))
    finally:  # an error may come of what was guessed
        for text in notes:
            listener(Noticed(text))
    return place
