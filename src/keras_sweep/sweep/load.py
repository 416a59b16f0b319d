"""What a sweep is run with: its data, its model once looked at, and a runner. Nothing is written yet."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keras_sweep.data.catalog import of_trial
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import SearchData
from keras_sweep.models.inspect_model import inspect_model, load_rows
from keras_sweep.process.backend import check_environment
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.search.engines import make_engine, start_of
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import data_space
from keras_sweep.sweep.recorded import OpenedTrial
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.losses import compile_arguments
from keras_sweep.training.row_weights import check_class_weights
from keras_sweep.training.runner import Runner
from keras_sweep.training.varied import choose_varied
from keras_sweep.training.workers.workers import Workers
from keras_sweep.trial.events import Listener, Noticed, SweepStarted
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result
from keras_sweep.trial.wall_time import WallTime


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
    workers: Workers | None = None  # who trains; None: this process

    def opened(self, trial: Result) -> OpenedTrial:
        """What it takes to work on the model of one of its trials."""
        training = (self.runner, lambda: self.stop.signalled, self.workers)
        spec, data = of_trial(self.spec, self.data, trial.params)
        return OpenedTrial(self.study, spec, data, trial, self.emit, *training)


def load(
    spec: SweepSpec,
    checkpoints: Path | None,
    runner: str | None,
    emit: Listener,
    wall: WallTime,
    stop: StopRequest,
    workers: Workers | None = None,
) -> tuple[SweepSpec, SearchData, Runner]:
    """Load the data, look at the model, and choose the runner, or the one that is wanted; what to know of them is said.

    The spec that comes back has the parameters that a model of the user's adds, too. `checkpoints` is the folder where
    the runner may keep what still trains; None keeps nothing.

    Raises Interrupted: a signal came; SweepError: the backend can't run here at all; UsageError: data, model and space
    do not fit each other, or the runner can't be had.
    """
    with wall.phase("import"):
        with stop.importing():  # whole, before a module of the user's imports parts of it
            check_environment()
        enable_compile_cache()  # what builds the first model is compiled, too
    with wall.phase("data"):
        spec, data = load_rows(spec)
    with wall.phase("build"):
        inspected = [inspect_model(*of_trial(spec, data, point)) for point in data_space(spec.space).points()]
        spec = replace(inspected[0].spec, data=spec.data, scale=spec.scale)
        start_of(spec)  # raises, before anything is written
        for one, point in zip(inspected, data_space(spec.space).points(), strict=True):
            each = of_trial(spec, data, point)
            check_task(*each, one.output_shape, one.activation)
            check_class_weights(*each)
            compile_arguments(each[0], training_plan(spec, spec.space.example(0.0)).loss_arguments, each[1])  # raises
        choose = choose_varied if data.variants else choose_runner
        chosen, why_plain = choose(
            spec, data, runner, checkpoints=checkpoints, notice=lambda text: emit(Noticed(text)), workers=workers
        )
    of_models = dict.fromkeys(words for one in inspected for words in one.notices)
    one_by_one = None
    if workers is not None and chosen.generation == 1 and make_engine(spec).learns:
        one_by_one = (
            f"{spec.search.engine_name} learns from each trial by `fit` before it is asked for the next, so that one "
            "worker trains at a time; `search: {generation: 8}` in the space file has eight train at once"
        )
    for text in (*data.notices, *data.leaks, *of_models, why_plain, one_by_one):
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
