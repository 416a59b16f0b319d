"""What a sweep is run with: its data, its model once looked at, and a runner. Nothing is written yet."""

import importlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_sweep.data.arrays import each, ravel_column
from keras_sweep.data.catalog import load_search_data, of_trial
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import SearchData, fingerprint
from keras_sweep.data.source import image_set
from keras_sweep.models.inspect_model import first_model, inspect_model, load_rows
from keras_sweep.process.backend import check_environment
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.search.engines import make_engine, start_of
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import Variant, variant_of
from keras_sweep.sweep.events import SweepStarted
from keras_sweep.sweep.recorded import OpenedTrial
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.losses import compile_arguments
from keras_sweep.training.measures import flops
from keras_sweep.training.row_weights import check_class_weights
from keras_sweep.training.runner import Runner
from keras_sweep.training.workers.pool import Pool
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result


@dataclass(frozen=True, slots=True)
class Running:
    """A sweep that is run: its record is open, and its lock is held."""

    study: StudyFile
    spec: SweepSpec
    data: SearchData
    runner: Runner
    emit: Listener
    wall: WallTime
    stop: StopRequest
    workers: Pool | None = None  # who trains; None: this process
    others: dict[Variant, Runner] = field(default_factory=dict)  # of variants of the data beside the first

    def runner_of(self, variant: Variant) -> Runner:
        """Who trains the trials that have this variant of the data."""
        if not variant or variant == next(iter(self.data.variants), variant):
            return self.runner
        if variant not in self.others:
            how: dict[str, Any] = {"checkpoints": self.study.folder.checkpoints, "workers": self.workers}
            how["notice"] = lambda text: self.emit(Noticed(text))
            kind = self.runner.name.partition("/")[0]
            self.others[variant], _ = choose_runner(*of_trial(self.spec, self.data, dict(variant)), kind, **how)
        return self.others[variant]

    def rows_of(self, variant: Variant) -> str | None:
        """A digest of its validation rows' labels and weights, where trials differ in their data; else None."""
        variants = self.data.variants if variant else {}
        rows = variants[variant].validation if variants else None
        return None if rows is None else fingerprint(replace(rows, x=each(ravel_column, rows.y)))

    def opened(self, trial: Result) -> OpenedTrial:
        """What it takes to work on the model of one of its trials."""
        training = (self.runner_of(variant_of(trial.params)), lambda: self.stop.signalled, self.workers)
        spec, data = of_trial(self.spec, self.data, trial.params)
        return OpenedTrial(self.study, spec, data, trial, self.emit, *training)


def load(
    spec: SweepSpec,
    checkpoints: Path | None,
    runner: str | None,
    emit: Listener,
    wall: WallTime,
    stop: StopRequest,
    workers: Pool | None = None,
) -> tuple[SweepSpec, SearchData, Runner]:
    """Load the data, look at the model, and choose the runner, or the one that is wanted; what to know of them is said.

    The spec that comes back has the parameters that a model of the user's adds, too. `checkpoints` is the folder where
    the runner may keep what still trains; None keeps nothing.

    Raises Interrupted: a signal came; SweepError: the backend can't run here at all; UsageError: data, model and space
    do not fit each other, or the runner can't be had.
    """
    read = None
    with wall.phase("import"):
        with stop.importing(), ThreadPoolExecutor(1) as beside:
            pictures = image_set(spec.data)
            if pictures is not None and pictures.find() is not None:
                # To unpack and scale them takes a second, and to import Keras two. The thread imports one package of
                # others, which is imported here at once: who comes second waits there, and sees the whole of it.
                read = beside.submit(load_search_data, spec)
                importlib.import_module("sklearn.model_selection")
            check_environment()  # imports Keras whole, before a module of the user's imports parts of it
        enable_compile_cache()  # what builds the first model is compiled, too
    with wall.phase("data"):
        spec, data = load_rows(spec, None if read is None else read.result())
    with wall.phase("build"):
        inspected = inspect_model(spec, data)
        spec = inspected.spec
        start_of(spec)  # raises, before anything is written
        check_task(spec, data, inspected.output_shape, inspected.activation)
        check_class_weights(spec, data)
        compile_arguments(spec, training_plan(spec, spec.space.example(0.0)).loss_arguments, data)  # raises
        if any(goal.name == "flops" for goal in spec.objective.further):
            flops(first_model(spec, data)[0], data.train.x)  # raises
        first = of_trial(spec, data, dict(next(iter(data.variants), ())))
        chosen, why_plain = choose_runner(
            *first, runner, checkpoints=checkpoints, notice=lambda text: emit(Noticed(text)), workers=workers
        )
    one_by_one = None
    if workers is not None and chosen.generation == 1 and make_engine(spec).learns:
        one_by_one = (
            f"{spec.search.engine_name} learns from each trial by `fit` before it is asked for the next, so that one "
            "worker trains at a time; `search: {generation: 8}` in the space file has eight train at once"
        )
    for text in (*data.notices, *data.leaks, *inspected.notices, why_plain, one_by_one):
        if text is not None:
            emit(Noticed(text, leak=text in data.leaks))
    return spec, data, chosen


def sweep_started(
    spec: SweepSpec, folder: SweepFolder, runner: str, total: int, finished: Sequence[Result]
) -> SweepStarted:
    """The event of a sweep that is to have so many trials in total, of which some are finished."""
    return SweepStarted(
        name=spec.name,
        folder=short_path(folder.path),
        engine=spec.search.engine_name,
        runner=runner,
        total=total,
        finished=tuple(finished),
        objective=spec.objective,
        space_size=spec.space.size,
        parameters=tuple(spec.space.distributions),
    )


def short_path(path: os.PathLike[str]) -> str:
    """The path as a user would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
