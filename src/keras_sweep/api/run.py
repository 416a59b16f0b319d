"""`keras_sweep.run`: a sweep from Python, with every option of the command."""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_sweep.api.edge import cut_traceback
from keras_sweep.api.spec import Spec, plain_value
from keras_sweep.api.sweep import Sweep
from keras_sweep.errors import Interrupted, SpaceFileError, UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.process.stop_request import IS_COMMAND
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.sweep_folder import sweep_folder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.options import plain_yaml, point_of
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.events import EndReason
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.views.summary import describe_kept

Space = str | os.PathLike[str] | Spec
Changes = Mapping[str, Any] | Sequence[str]  # of a space: {"learning_rate.max": 0.1}, or ["learning_rate.max=0.1"]


@cut_traceback
def run(
    space: Space,
    *,
    name: str | None = None,
    trials: int | None = None,
    more: int | None = None,
    add: Mapping[str, Any] | str | None = None,
    seconds: float | None = None,
    engine: str | None = None,
    sampler: str | None = None,
    backend: str | None = None,
    runner: str | None = None,
    workers: str | int | Executor | None = None,
    seed: int | None = None,
    set: Changes | None = None,
    fresh: bool = False,
    force: bool = False,
    test: bool = True,
    max_failures: int | None = None,
    listener: Listener | None = None,
    sweeps_dir: str | os.PathLike[str] | None = None,
) -> Sweep:
    """Search, evaluate the winner once on the sealed test set, write the best model. The same call again resumes.

    It may be called from any thread, and as often as you like in one process; calls follow one another. What other
    threads draw meanwhile from the global generators of NumPy and Keras is missed by trials that train by `fit`. In the
    main thread the first Ctrl-C finishes what trains, the second one raises KeyboardInterrupt.

    Args:
        space: a space file's path, or a `Spec`.
        name: the sweep's name; by default the file's stem. A `Spec` needs one.
        trials: how many there are to be in total.
        more: how many to add to those that are there, instead of a total.
        add: a point, `{"optimizer": "adam", "learning_rate": 1e-3}` or "optimizer=adam learning_rate=1e-3", which is
            trained instead of a search; what it leaves out is as in the best trial.
        seconds: stop after so long.
        engine: "optuna" or "keras-tuner".
        sampler: one of the engine's.
        backend: "jax", "tensorflow" or "torch"; by default the one that Keras runs on already, KERAS_BACKEND, or jax.
        runner: "compiled", "fit", or one that is registered; by default the fastest that can be had.
        workers: who trains, instead of this process: so many processes of this machine, "dask://HOST:PORT",
            "ray://HOST:PORT", "ray" for the cluster that runs here, or an executor whose workers can import this
            package. What comes out is the same.
        seed: the search seed.
        set: changes of the space, `{"learning_rate.max": 0.1}` or `["learning_rate.max=0.1"]`.
        fresh: move an older sweep of that name aside first.
        force: take over a sweep that another host left locked.
        test: whether the winner is evaluated on the sealed test set.
        max_failures: stop after more failed trials.
        listener: called with every event (frozen records of `keras_sweep.api.events`). Without one a terminal shows
            the live board, a notebook a board that redraws itself, anything else nothing.
        sweeps_dir: where sweeps live; by default SWEEPS_DIR, or ./sweeps.

    Raises:
        UsageError: the call, the space, the data or the model are wrong, with all faults of the space at once; or
            there is a sweep of that name with another space, data or seed.
        SweepBusy: another process runs this sweep.
        Interrupted: a signal ended it; everything finished is kept.
        SweepError: it ran and failed: its trials, its record, or the disk.
    """
    # The command has done nothing yet but imports, which took about as long.
    wall = WallTime(time.process_time() if IS_COMMAND.get() else 0.0)
    if [trials, more, add].count(None) < 2:
        raise UsageError("`--trials` is the total, `--more` is on top, `--add` is one point", hint="Give one of them")
    choose_backend(backend)  # before a module of the user's that a function imports, which may import Keras
    spec = spec_of(space, name=name, changes=set, engine=engine, sampler=sampler, trials=trials, seed=seed)
    if listener is not None:
        for text in spec.warnings:
            listener(Noticed(text, warns=True))
    folder = sweep_folder(spec.name, sweeps_dir)
    from keras_sweep.api.session import run_session  # with all that trains: faults of the space are told before
    from keras_sweep.sweep.run import RunOptions

    options = RunOptions(runner, more, seconds, fresh, force, test, max_failures, point_of(add), workers)
    ended = run_session(spec, folder, options, listener, wall)
    if ended.reason is EndReason.INTERRUPTED:
        parts = ["every finished trial is kept"] if ended.results or ended.waiting or not ended.kept else []
        parts += [describe_kept(ended.kept)] if ended.kept else []
        raise Interrupted(f"interrupted; {', and '.join(parts)}", hint="The same command resumes")
    return Sweep(folder, spec=spec)


def spec_of(space: Space, *, name: str | None = None, changes: Changes | None = None, **options: Any) -> SweepSpec:
    """The checked spec of a space file or a `Spec`. Raises UsageError with all of its faults."""
    if isinstance(changes, str):
        raise UsageError(f"`set` is a map, but got {changes!r}", hint='As in `set={"learning_rate.max": 0.1}`')
    sets = list(changes or ())
    if isinstance(changes, Mapping):
        texts = {key: plain_yaml(plain_value(value), flow=True) for key, value in changes.items()}
        sets = [f"{key}={text.strip().removesuffix('...').strip()}" for key, text in texts.items()]
    options = {key: plain_value(value) for key, value in options.items()}
    if not isinstance(space, Spec):
        return read_space_file(Path(space), sets=sets, name=name, **options)
    if name is None:
        raise UsageError("a sweep of a Spec needs a name", hint='For example: run(spec, name="mine")')
    try:
        return read_space_file(Path("Spec"), text=space.to_yaml(), sets=sets, name=name, **options)
    except SpaceFileError as error:  # lines of a text that nobody has seen say nothing
        raise SpaceFileError("Spec", [replace(fault, line=None) for fault in error.faults]) from None
