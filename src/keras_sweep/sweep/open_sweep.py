"""Hold the record, spec, data and runners of a sweep, for a run and for later work with the sweep.

A run loads everything before it writes anything (`load_for_run`). Other work opens the record, and reads data late.
"""

import importlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from keras_sweep.data.arrays import each, ravel_column
from keras_sweep.data.catalog import load_search_data, select_variant
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import Rows, SearchData, fingerprint
from keras_sweep.data.source import image_set
from keras_sweep.errors import ChangedSweep, UsageError
from keras_sweep.models.build import data_code, find_changed_code, model_code
from keras_sweep.models.inspect_model import add_own_parameters, first_model, inspect_model, limit_weights, load_rows
from keras_sweep.process.backend import BACKENDS, check_environment, choose_backend, use_keras_config
from keras_sweep.process.compiling import enable_compile_cache
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.user_code import forget_edited_modules
from keras_sweep.process.user_objects import display_name, is_object_name
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.search.engines import make_engine, start_points
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import Variant, get_variant
from keras_sweep.sweep.trust import ask_for_trust, read_unfollowed_spec
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.fit.function import inspect_function
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.losses import check_class_weights, compile_arguments
from keras_sweep.training.outcome import count_flops
from keras_sweep.training.runner import Runner
from keras_sweep.training.workers.pool import Pool
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.ranking import is_imported
from keras_sweep.trial.result import Result


class OpenSweep:
    """The record, spec, data and runners of a sweep, loaded on first use. `with` closes the record."""

    spec: SweepSpec  # complete once the data are read, because the user's model may add parameters
    data: SearchData
    runner: Runner  # set by a run: trains the run's generations

    def __init__(
        self,
        folder: SweepFolder,
        emit: Listener = lambda _: None,
        *,
        spec: SweepSpec | None = None,  # the user's spec, instead of the recorded spec
        trust: bool = False,  # whether code named in the record may be imported
        backend: str | None = None,  # of Keras; None: the backend that trained the trial
        wall: WallTime | None = None,
        stop: StopRequest | None = None,
        workers: Pool | None = None,  # None: this process trains
    ) -> None:
        self.folder, self.emit, self.workers = folder, emit, workers
        self.wall = WallTime() if wall is None else wall
        self.stop = StopRequest(ends_process=False) if stop is None else stop
        self.backend, self.user_spec, self._trust = backend, spec, trust
        self._variant_runners: dict[Variant, Runner] = {}  # of all variants of the data but the first

    @property
    def is_running(self) -> bool:
        """Whether this object runs the sweep: its data are loaded, and its runner is chosen."""
        return hasattr(self, "runner")

    @cached_property
    def study(self) -> StudyFile:
        """The record, opened on first use. Raises RecordError if the record can't be read."""
        return StudyFile.open(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if "study" in vars(self):
            self.study.close()

    def read(self) -> RecordedSweep:
        return RecordedSweep(self.folder, self.study.facts, self.study.load_results())

    @property
    def trusts(self) -> bool:
        """Whether Python code that the space file names may be imported."""
        return self._trust or self.user_spec is not None

    @cached_property
    def recorded_spec(self) -> SweepSpec:
        """The user's spec, or else the recorded spec. No code is imported. Raises as `read_unfollowed_spec`."""
        return self.user_spec or read_unfollowed_spec(self.study.facts, self.study.name, self.folder)

    def training(self, number: int | None) -> Result:
        """Return the trial with this number. If `number` is None, return the winner's training with the best seed.
        Raises UsageError if the record names code that is not trusted. Also raises as `RecordedSweep.training`."""
        _ = self.spec_with_code  # raises first
        return self.read().training(number)

    def load(self, trial: Result) -> tuple[SweepSpec, SearchData]:
        """Load the spec and the data with a trial's data options. The first call chooses Keras's backend and settings.

        The backend is the sweep's `backend`, or else the backend that trained the trial. Raises UsageError if another
        program trained the trial, the code is not trusted, or the backend does not fit. Raises DataError if the data
        can't be read, ChangedSweep if the rows or the model's code have changed.
        """
        if is_imported(trial):
            message = f"{trial.name} is imported: it has no weights, and can't be trained again"
            raise UsageError(message, hint="Choose a trial that this sweep trained")
        self._read_data(trial)
        return select_variant(self.spec, self.data, trial.params)

    def validation(self) -> Rows:
        """Return the validation rows as the model takes them, the winner's if trials' rows differ. Raises as `load`."""
        self._read_data()
        params = self.read().training(None).params if self.data.variants else {}
        return select_variant(self.spec, self.data, params)[1].validation

    def runner_of(self, variant: Variant) -> Runner:
        """Return the run's runner for the trials with these data options (variant)."""
        if not variant or variant == next(iter(self.data.variants), variant):
            return self.runner
        if variant not in self._variant_runners:
            spec, data = select_variant(self.spec, self.data, dict(variant))
            self._variant_runners[variant] = self.choose_runner(spec, data, self.runner.name, self.folder.checkpoints)
        return self._variant_runners[variant]

    def runner_for(self, trial: Result) -> Runner:
        """Return the runner to train a trial again. Outside a run, this is a new runner of the recorded kind."""
        if self.is_running:
            return self.runner_of(get_variant(trial.params))
        return self.choose_runner(*self.load(trial), trial.runner)

    def choose_runner(self, spec: SweepSpec, data: SearchData, name: str, checkpoints: Path | None = None) -> Runner:
        """Create the runner `name` ("fit", "compiled/jax"). It saves running trials in `checkpoints`, unless None."""
        how: dict[str, Any] = {"checkpoints": checkpoints, "workers": self.workers}
        return choose_runner(spec, data, name.partition("/")[0], notice=lambda text: self.emit(Noticed(text)), **how)[0]

    @property
    def runners(self) -> list[Runner]:
        return [self.runner, *self._variant_runners.values()]

    def rows_of(self, variant: Variant) -> str | None:
        """Return a digest of the validation labels and weights with these data options; None if no option varies."""
        if not (variant and self.data.variants):
            return None
        rows = self.data.variants[variant].validation
        return fingerprint(replace(rows, x=each(ravel_column, rows.y)))

    @cached_property
    def spec_with_code(self) -> SweepSpec:
        """The recorded spec. Emits a notice of the code to import, or raises UsageError if this code is not trusted."""
        spec = self.recorded_spec
        if self.user_spec is None:
            record_name = f"record of {self.study.name!r}"
            ask_for_trust(spec.code, spec.folder, record_name, trust=self._trust, emit=self.emit, data=spec.data)
        return spec

    def _read_data(self, trial: Result | None = None) -> None:
        """Set `spec` and `data` once. To build the model of `trial`, use that trial's backend. Raises as `load`."""
        if hasattr(self, "data"):
            return
        spec, study = self.spec_with_code, self.study
        if trial is None:
            choose_backend(self.backend)
        else:  # the trial's model will be built
            choose_backend(self.backend, default=backend_of(trial.runner))
            check_environment()
            enable_compile_cache()
        forget_edited_modules(spec.code, spec.folder)
        for what, source, recorded, now in (
            ("model", spec.model.source, study.facts.model_code, model_code(spec, now=True)),
            ("data", spec.data.source, study.facts.data_code, data_code(spec)),
        ):
            if changes := find_changed_code(recorded, now):
                raise ChangedSweep(
                    f"the code of the {what} has changed since the sweep {study.name!r} started: {', '.join(changes)} "
                    f"in {display_name(source) if is_object_name(source) else spec.folder}; its trials used the old "
                    "code",
                    hint="Restore the old code, or run the sweep again under another name",
                )
        if (notice := use_keras_config(study.facts.keras_config)) is not None:
            self.emit(Noticed(notice))
        spec, data = load_rows(spec)
        if data.fingerprint != study.facts.fingerprint:
            message = f"the rows have changed since the sweep {study.name!r} started"
            raise ChangedSweep(message, hint="Restore the old rows, or run the sweep again under another name")
        self.spec, self.data = add_own_parameters(spec, data), data


def load_for_run(
    spec: SweepSpec,
    checkpoints: Path | None,
    runner: str | None,
    emit: Listener,
    wall: WallTime,
    stop: StopRequest,
    workers: Pool | None = None,
) -> tuple[SweepSpec, SearchData, Runner]:
    """Load the data, check the model, and choose the runner. Notices go to `emit`.

    The returned spec has the parameters that the user's model adds. The runner may save running trials in the folder
    `checkpoints`; None saves nothing. `runner` is a runner's name; None chooses the fastest. `wall` measures the
    phases. A signal sets `stop`. `workers` are the processes that train; None: this process. Raises Interrupted if a
    signal came, SweepError if the backend can't run here. Raises UsageError if data, model and space do not fit each
    other, or the runner is not available.
    """
    future = None
    with wall.phase("import"):
        with stop.guard_imports(), ThreadPoolExecutor(1) as thread:
            if (pictures := image_set(spec.data)) is not None and pictures.find() is not None:
                # Unpacking and scaling take a second, and importing Keras takes two. The thread needs scikit-learn:
                # this import makes the thread wait until the whole package is there.
                future = thread.submit(load_search_data, spec)
                importlib.import_module("sklearn.model_selection")
            check_environment()  # imports all of Keras, before a user's module imports parts of it
        enable_compile_cache()  # building the first model compiles, too
    with wall.phase("data"):
        spec, data = load_rows(spec, None if future is None else future.result())
    with wall.phase("build"):
        inspected = inspect_function(spec) if spec.function else inspect_model(spec, data)
        spec = inspected.spec
        start_points(spec)  # raises before anything is written
        if not spec.function:
            check_task(spec, data, inspected.output_shape, inspected.activation)
            check_class_weights(spec, data)
            compile_arguments(spec, training_plan(spec, spec.space.make_example(0.0)).loss_arguments, data)  # raises
            if any(goal.name == "flops" for goal in spec.objective.further):
                count_flops(first_model(spec, data)[0], data.train.x)  # raises
        variant = select_variant(spec, data, dict(next(iter(data.variants), ())))
        chosen, why_plain = choose_runner(
            *variant, runner, checkpoints=checkpoints, notice=lambda text: emit(Noticed(text)), workers=workers
        )
    idle, least = None, -(-chosen.generation // LANE_LIMIT)
    if workers is not None and chosen.joins and (count := workers.count() or 0) > least:
        idle = (
            f"{chosen.generation} trials at a time may keep only {least} of {count} workers busy; "
            f"`sweep check SPACE --workers {count}` says which setting of `search` uses more"
        )
    elif workers is not None and chosen.generation == 1 and make_engine(spec).learns:
        idle = (
            f"with `fit`, {spec.search.engine_name} suggests a single trial at a time, so the other workers stay idle; "
            "`search: {generation: 8}` in the space file trains eight trials at once"
        )
    for text in (*data.notices, *data.leaks, *inspected.notices, why_plain, idle, workers.note if workers else None):
        if text is not None:
            emit(Noticed(text, leak=text in data.leaks))
    return limit_weights(spec, data), data, chosen


def backend_of(runner: str) -> str | None:
    """Return the backend in a runner's name ("jax" in "fit/jax"). If another program trained, return None."""
    backend = runner.partition("/")[2]
    return backend if backend in BACKENDS else None
