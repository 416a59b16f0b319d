"""Run a sweep from Python: `keras_sweep.run` has every option of the command `sweep run`."""

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
from keras_sweep.space_file.options import dump_yaml, parse_point
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.events import EndReason
from keras_sweep.system.processes import delay_interrupt
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.views.summary import describe_kept

Space = str | os.PathLike[str] | Spec
# Changes of a space: {"learning_rate.max": 0.1}, or ["learning_rate.max=0.1"]
Changes = Mapping[str, Any] | Sequence[str]


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
    """Search, evaluate the winner once on the sealed test set, which no trial sees, and write its model to the record.

    The same call again resumes the sweep:

        sweep = keras_sweep.run("search_spaces/dense.yaml", trials=64)
        sweep.best.params, sweep.estimate

    You can call `run` from any thread and several times in a process; the calls run in turn. Trials that train by `fit`
    use the global random generators of NumPy and Keras, so no other thread may use these generators during the call.
    In the main thread the first Ctrl-C finishes the trials that train, and the second raises KeyboardInterrupt.

    Args:
        space: a space file's path, or a `Spec`.
        name: the sweep's name; by default the file's stem. A `Spec` needs a name.
        trials: how many trials the sweep has in total; by default as the space says.
        more: how many trials to add to the finished trials, in place of a total.
        add: train this configuration instead of a search: `{"optimizer": "adam", "learning_rate": 1e-3}` or
            "optimizer=adam learning_rate=1e-3". The best trial supplies the values that it leaves out.
        seconds: stop the search after this time, in seconds; by default no limit.
        engine: "optuna" or "keras-tuner"; by default as the space says.
        sampler: a sampler of the engine; by default as the space says.
        backend: "jax", "tensorflow" or "torch"; by default the backend of an imported Keras, KERAS_BACKEND, or jax.
        runner: "compiled", "fit", or a registered runner's name; by default the fastest that can train the space.
        workers: train in worker processes, not in this process: their number on this machine, "dask://HOST:PORT",
            "ray://HOST:PORT", "ray" for the cluster on this machine, or an executor whose workers can import this
            package. Workers never change results.
        seed: the search seed; by default as the space says.
        set: changes of the space: `{"learning_rate.max": 0.1}` or `["learning_rate.max=0.1"]`.
        fresh: first rename an older sweep of this name to `NAME~1`, and begin again.
        force: take over a sweep that another host left locked.
        test: evaluate the winner on the sealed test set.
        max_failures: stop with an error when more trials than this have failed; by default no limit.
        listener: called with every event, a frozen dataclass of `keras_sweep.api.events`. By default a terminal shows
            the live board, a notebook shows a board that redraws itself, and notices elsewhere are Python warnings.
        sweeps_dir: the folder of all sweeps; by default SWEEPS_DIR, or ./sweeps.

    Raises:
        UsageError: the call, the space, the data or the model are wrong, or a sweep of this name exists with another
            space, data or seed. The message lists all faults of a space at once.
        SweepBusy: another process runs this sweep.
        Interrupted: a signal ended the sweep; every finished trial is kept.
        SweepError: the sweep failed while it ran, for example because the disk is full.
    """
    # The command's process has only imported modules until now, so its CPU time is about the wall time.
    wall = WallTime(time.process_time() if IS_COMMAND.get() else 0.0)
    if [trials, more, add].count(None) < 2:
        hint = "`--trials` sets the total, `--more` adds trials, `--add` trains a single point"
        raise UsageError("`--trials`, `--more` and `--add` can't be used together", hint=hint)
    # Before the spec: a function in it may import a module of the user that imports Keras.
    choose_backend(backend)
    spec = read_spec(space, name=name, changes=set, engine=engine, sampler=sampler, trials=trials, seed=seed)
    if listener is not None:
        for text in spec.warnings:
            listener(Noticed(text, warns=True))
    folder = sweep_folder(spec.name, sweeps_dir)
    # Heavy imports come late, so that faults of the space are reported at once.
    with delay_interrupt():
        from keras_sweep.api.session import run_session
        from keras_sweep.sweep.run import RunOptions

    point = parse_point(add, is_of_keras=not spec.function)
    options = RunOptions(runner, more, seconds, fresh, force, test, max_failures, point, workers)
    end = run_session(spec, folder, options, listener, wall)
    if end.reason is EndReason.INTERRUPTED:
        parts = ["every finished trial is kept"] if end.results or end.waiting or not end.kept else []
        parts += [describe_kept(end.kept)] if end.kept else []
        raise Interrupted(f"interrupted; {', and '.join(parts)}", hint="The same command resumes")
    return Sweep(folder, spec=spec)


def read_spec(space: Space, *, name: str | None = None, changes: Changes | None = None, **options: Any) -> SweepSpec:
    """Return the checked space of a space file or a `Spec`. Raises UsageError with all faults. `name`: the sweep's,
    which a `Spec` needs. `changes`: `set` of `run`. `options`: `engine`, `sampler`, `trials` and `seed`; None has no
    effect."""
    if isinstance(changes, str):
        hint = 'For example `set={"learning_rate.max": 0.1}`'
        raise UsageError(f"`set` must be a dict or a list, but got {changes!r}", hint=hint)
    sets = list(changes or ())
    if isinstance(changes, Mapping):
        texts = {key: dump_yaml(plain_value(value), flow=True) for key, value in changes.items()}
        sets = [f"{key}={text.strip().removesuffix('...').strip()}" for key, text in texts.items()]
    options = {key: plain_value(value) for key, value in options.items()}
    if not isinstance(space, Spec):
        return read_space_file(Path(space), sets=sets, name=name, **options)
    if name is None:
        raise UsageError("a sweep of a Spec needs a name", hint='For example `run(spec, name="mine")`')
    try:
        return read_space_file(Path("Spec"), text=space.to_yaml(), sets=sets, name=name, **options)
    # The user has never seen the text of a `Spec`, so line numbers would not help.
    except SpaceFileError as error:
        raise SpaceFileError("Spec", [replace(fault, line=None) for fault in error.faults]) from None
