"""The plain runner: one trial after another by `model.fit`, on any Keras backend."""

import copy
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from keras_sweep.data.arrays import Arrays
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, UsageError
from keras_sweep.models.hyper_model import RETURNED
from keras_sweep.models.own_compile import can_validate
from keras_sweep.process.backend import clear_session, only_new_garbage, versions
from keras_sweep.process.user_code import load_python, of_user
from keras_sweep.process.wall_time import WallTime
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.averaged_weights import swap_of
from keras_sweep.training.build_trial import called, compiled_trial, fits_itself, keras_schedule
from keras_sweep.training.checkpoint import CHECKPOINT_SECONDS, ONE_TRIAL, LatestCheckpoint
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.fit.fit_log import FitLog
from keras_sweep.training.fit.own_fit import OwnFitLog
from keras_sweep.training.outcome import Failure, failed, scored
from keras_sweep.training.row_weights import class_weights
from keras_sweep.training.runner import Judge, Runner, Watch
from keras_sweep.training.workers.pool import Pool, error_of
from keras_sweep.training.workers.task import LOOK_SECONDS, Client, Task
from keras_sweep.trial.events import EpochEnded, PhaseBegan
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion

AHEAD = 64  # generations that workers are given, where they may be


@dataclass(frozen=True, slots=True)
class Trained:
    """A trial that was trained."""

    result: Result
    pruned: Mapping[int, Result] = field(default_factory=dict)  # rung -> the result, had the trial been stopped there

    def judged(self, judge: Judge) -> Result:
        """The result, where the rungs are asked only now."""
        for rung, result in self.pruned.items():
            if result.value is not None and judge.rung(rung, {result.number: result.value}):
                return result
        return self.result


class FitRunner(Runner):
    """Trains every trial as the lesson does: seed, build, compile, `fit` with validation after each epoch.

    A suggestion that continues another is trained from its first epoch, which gives the same numbers. A trial that was
    stopped goes on from its checkpoint, but on TensorFlow, with folds, and with callbacks or a `fit` of the user's,
    where it begins anew. On a worker it has a file of its own, where the worker sees the folder of the sweep.
    """

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        checkpoints: Path | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        notice: Callable[[str], None] = lambda _: None,
        workers: Pool | None = None,
    ) -> None:
        """As `MakeRunner` says; a checkpoint is written every so many seconds."""
        import keras

        enable_compile_cache()
        backend = keras.backend.backend()
        self.name = f"fit/{backend}"
        fits = fits_itself(spec)  # which KerasTuner scores by its best epoch
        self._spec = replace(spec, objective=replace(spec.objective, take_best=True, epochs_from=0)) if fits else spec
        self._data = data
        if data.stream is not None and (wrong := _beside_stream(spec)) is not None:
            raise UsageError(
                f"`fit` iterates the training dataset as it is, beside which there is no {wrong}",
                hint=f"Leave {wrong} out, or give training rows that fit into memory",
            )
        # TensorFlow's shuffle can't be set to where it stood, nor can a dataset, a callback, or a `fit`, of the user's.
        begins_anew = backend == "tensorflow" or data.stream is not None or fits or len(spec.training.callbacks) > 0
        self._checkpoint: LatestCheckpoint | None = None
        if checkpoints is not None and not begins_anew:
            self._checkpoint = LatestCheckpoint(checkpoints, spec, data, notice, checkpoint_seconds)
        self._shared = Client(workers, spec, data, notice) if workers is not None else None
        if self._shared is not None:
            self._shared.look(versions)
            self.ahead = AHEAD
        self._wall = WallTime()
        self._compiled = 0  # trials that have compiled what they train with

    @property
    def compiled(self) -> int:
        return self._compiled

    @property
    def spent(self) -> Mapping[str, float]:
        """By build, compile (tracing included), train, validate, score."""
        return self._wall.parts

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        asked = [one for one in trials if one.number in wanted]
        if self._shared is not None:
            for result in self._by_workers(self._shared, asked, watch):
                yield check_first(result)
                if self._checkpoint is not None:
                    replace(self._checkpoint, file=ONE_TRIAL.format(result.number)).remove()
            return
        with only_new_garbage():
            for suggestion in asked:
                trained = self.train(suggestion, watch)
                if trained is None:
                    return
                yield check_first(trained.result)
                if self._checkpoint is not None:
                    self._checkpoint.remove()  # only now, when the result is kept

    def without_checkpoints(self) -> Self:
        other = copy.copy(self)
        other._checkpoint = None  # noqa: SLF001  # of its own copy
        return other

    def with_checkpoint_of(self, number: int, folder: Path, seconds: float) -> Self:
        """A runner that keeps where this trial stands, in a file of its own."""
        other, file = copy.copy(self), ONE_TRIAL.format(number)
        checkpoint = LatestCheckpoint(folder, self._spec, self._data, lambda _: None, seconds, file=file)
        other._checkpoint = checkpoint  # noqa: SLF001  # of its own copy
        return other

    def train(self, suggestion: Suggestion, watch: Watch, rungs: Sequence[int] = ()) -> Trained | None:
        """A trial, trained in this thread; None if the user asked to stop.

        At `rungs` the judge of the watch does not know of, what the trial would be had it ended there is kept as well.
        """
        log = self._fitted(suggestion, self._data, watch, every=bool(rungs))
        if not isinstance(log, FitLog):
            return None if log is None else Trained(log)

        def ended(epochs: int, pruned_at: int | None) -> Result:
            curve, epoch, weights = log.ended(epochs, pruned=pruned_at is not None)

            def model() -> tuple[Any, Arrays]:
                log.model.set_weights(list(weights))
                return log.model, self._data.validation.x

            def predict() -> Any:
                with self._wall.part("score"):
                    return called(*model())

            return scored(
                self._spec,
                suggestion,
                curve=curve,
                epoch=epoch,
                weights=weights,
                seconds=log.seconds,
                rows=self._data.validation,
                predict=predict,
                model=model,
                is_validation_score=log.is_validation_score,
                reason=log.reason,
                pruned_at=pruned_at,
            )

        if log.diverged:
            result = failed(suggestion, Failure(DIVERGED), log.curve, log.seconds)
        else:
            result = ended(len(log.rows), log.pruned_at)
        name, finite = self._spec.objective.name, len(log.rows) - log.diverged
        rungs = [one for one in rungs if one <= finite and name in log.rows[one - 1]]
        early = len(log.rows) if log.stopped_early else None  # there no rung stops it
        return Trained(result, {one: result if one == early else ended(one, one) for one in rungs})

    def _by_workers(self, shared: Client, asked: Sequence[Suggestion], watch: Watch) -> Iterator[Result]:
        """Results of trials that workers train, each to its end: a rung that stops one is asked afterwards.

        Rungs are asked in the order of the trials, as without workers; without rungs results come as they are there.
        Raises SweepError where a trial is lost too often.
        """
        epochs = {one.number: training_plan(self._spec, one.params).epochs for one in asked}
        rungs = {number: watch.judge.rungs(count) for number, count in epochs.items()}
        in_order = any(rungs.values())  # else the longest first
        asked = asked if in_order else sorted(asked, key=lambda one: -epochs[one.number])
        trials = {one.number: one for one in asked}

        kept = self._checkpoint
        place = None if kept is None else (kept.folder.absolute(), kept.seconds)

        def submit(number: int) -> Future[Trained | None]:
            return shared.submit(train_trial, type(self), trials[number], rungs[number], place)

        def stop() -> None:
            shared.stop(now=True)
            wait([future for future in waiting.values() if not future.cancel()])

        watch.emit(PhaseBegan("train"))
        waiting = {} if watch.stopping() else {number: submit(number) for number in trials}
        try:
            while waiting:
                if stops := watch.stopping():
                    stop()  # what has come to its end by then counts
                due = list(waiting)[:1] if in_order else list(waiting)
                with self._wall.part("train"):
                    done = wait([waiting[number] for number in due], LOOK_SECONDS, FIRST_COMPLETED).done
                for number in [number for number in due if waiting[number] in done]:
                    future = waiting.pop(number)
                    error = error_of(future)
                    trained = future.result() if error is None else None
                    if trained is not None:
                        self._compiled += 1
                        result = trained.judged(watch.judge)
                        for epoch in range(1, result.epochs + 1):
                            row = {name: values[epoch - 1] for name, values in result.curve.items()}
                            watch.emit(EpochEnded(number, epoch, row))
                        yield result
                    elif not stops:  # it was lost, or still saw that another call was to stop
                        if error is not None:
                            shared.lost(f"train trial {number}", error)
                        waiting = {number: submit(number)} | waiting
        finally:
            stop()
            shared.stop(now=False)

    def _fitted(
        self, suggestion: Suggestion, data: SearchData, watch: Watch, *, at_most: int | None = None, every: bool = False
    ) -> FitLog | Result | None:
        """What `fit` told; the result where its code raised or logged no objective; None where the user asked to stop.

        After `at_most` epochs nobody needs more of it; `every` keeps the weights of all, in place of the best one's.
        """
        from keras import Model

        clear_session(free_memory=True)  # else every trial's graph stays in memory
        started = time.perf_counter()
        watch.emit(PhaseBegan("build"))
        spec, log = self._spec, None
        try:
            plan = training_plan(spec, suggestion.params)
            model, own = compiled_trial(spec, plan, data)
            if plan.schedule is not None:
                rows = data.trained_rows(plan.batch_size)
                schedule = keras_schedule(float(model.optimizer.learning_rate), *plan.schedule.over(rows))
                model.optimizer.learning_rate = schedule
            kind = FitLog if own is None else OwnFitLog
            fits = own is not None or type(model).fit is not Model.fit
            checkpoint, may_be_set = (None if fits else self._checkpoint), fits or bool(spec.training.callbacks)
            log = kind(spec, suggestion, plan, model, watch, started, checkpoint, every, may_be_set)
            (train, batches), validation = data.for_fit(plan.batch_size), data.validation
            watch.emit(PhaseBegan("compile", 0, 1))
            self._compiled += 1
            epochs, weights = min(plan.epochs, at_most or plan.epochs), class_weights(plan.training.class_weight, data)
            functions: list[Any] = [load_python(one.python, spec.folder) for one in spec.training.callbacks]
            callbacks = [swap_of(), *(function() for function in functions), log.callback()]
            how = {"batch_size": plan.batch_size, "sample_weight": validation.weights, "verbose": 0}
            evaluate = partial(model.evaluate, validation.x, validation.labels, **how, return_dict=True)
            if own is not None and isinstance(log, OwnFitLog):
                given: dict[str, Any] = {} if weights is None else {"class_weight": weights}
                if "batch_size" in suggestion.params or data.stream is not None:  # else it may say so itself
                    given |= batches
                log.train(own, replace(data, train=train), callbacks, evaluate, epochs=epochs, **given)
            else:
                model.fit(
                    train.x,
                    train.labels,
                    epochs=epochs,
                    initial_epoch=len(log.rows),
                    **batches,
                    verbose=0,
                    sample_weight=train.weights,
                    validation_data=validation.validation_data if can_validate(model) else None,
                    validation_batch_size=plan.batch_size,
                    class_weight=weights,
                    callbacks=callbacks,
                )
            log.end(evaluate)
        except BaseException as error:  # a user's model, or an optimizer, may raise anything, `sys.exit` does too
            if not of_user(error):
                raise
            if log is not None and log.interrupted:  # a `fit` of the user's may count on all of its epochs
                return None
            return failed(suggestion, Failure.of(error), log.curve if log else None)
        finally:
            for name, seconds in (log.spent if log else {"build": time.perf_counter() - started}).items():
                self._wall.add(name, seconds)
        if log.interrupted:
            return None
        if spec.objective.name not in log.curve:
            metric = repr(spec.objective.name)
            what = f"the metric {metric} was not logged,"
            what = what if own is None else f"{RETURNED} no {metric}, and its epochs logged"
            return failed(suggestion, Failure(f"{what} only {sorted(log.curve)}"), log.curve, log.seconds)
        return log


def check_first(result: Result) -> Result:
    """Return the result. Raises ModelError if it is the first trial's, whose own `fit` returned what ranks no trial."""
    if result.suggestion.recipe is None and result.number == 0 and (result.reason or "").startswith(RETURNED):
        raise ModelError(str(result.reason))
    return result


def _beside_stream(spec: SweepSpec) -> str | None:
    """What of the space needs training rows in memory."""
    training, names = spec.training, [parameter.name for parameter in spec.space.parameters]
    found = {
        "`finish: {refit: true}`": spec.refits,
        "`class_weight: balanced`": training.class_weight == "balanced" or "training.class_weight" in names,
        "`adapt`": training.adapt,
        "parameter `batch_size`": "batch_size" in names,
    }
    return next((what for what, there in found.items() if there), None)


_one_trial = threading.Lock()  # trains in a process: `fit` draws from the generators of the process


def train_trial(
    worker: Task,
    kind: type[FitRunner],
    suggestion: Suggestion,
    rungs: Sequence[int],
    place: tuple[Path, float] | None = None,
) -> Trained | None:
    """On a worker: train a trial to its end; None if it was asked to stop before.

    What comes back depends on nothing else, as that of `train_segment`: a checkpoint spares epochs and changes none.
    `place` is the folder of checkpoints and the seconds between two; a worker on another disk does not see it.
    """
    runner = worker.tool(kind.__name__, kind)
    if place is not None and place[0].parent.is_dir():
        runner = runner.with_checkpoint_of(suggestion.number, *place)
    with _one_trial, only_new_garbage():
        return None if worker.stopping() else runner.train(suggestion, Watch(stopping=worker.stopping), rungs)
