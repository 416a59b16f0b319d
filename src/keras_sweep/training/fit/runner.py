"""The plain runner: one trial after another by `model.fit`, on any Keras backend."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Generator, Sequence
from pathlib import Path
from typing import Any, Self

from keras_sweep.data.search_data import SearchData
from keras_sweep.process.backend import only_new_garbage
from keras_sweep.process.user_code import of_user
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.averaged_weights import swap_of
from keras_sweep.training.build_trial import called, compiled_model
from keras_sweep.training.checkpoint import CHECKPOINT_SECONDS, LatestCheckpoint
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.fit.fit_log import FitLog
from keras_sweep.training.outcome import failed, scored
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion
from keras_sweep.trial.wall_time import WallTime


class FitRunner:
    """Trains every trial as the lesson does: seed, build, compile, `fit` with validation after each epoch.

    A suggestion that continues another is trained from its first epoch, which gives the same numbers. A trial that was
    stopped goes on from its checkpoint, but on TensorFlow and with folds, where it begins anew.
    """

    generation = 1  # nothing is gained by knowing more than the next trial

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        checkpoints: Path | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """As `MakeRunner` says; a checkpoint is written every so many seconds."""
        import keras

        enable_compile_cache()
        backend = keras.backend.backend()
        self.name = f"fit/{backend}"
        self._spec = spec
        self._data = data
        self._checkpoint: LatestCheckpoint | None = None
        if checkpoints is not None and backend != "tensorflow":  # its shuffle can't be set to where it stood
            self._checkpoint = LatestCheckpoint(checkpoints, spec, data, notice, checkpoint_seconds)
        self._wall = WallTime()
        self.spent = self._wall.parts  # build, compile (tracing included), train, validate, score
        self.compiled = 0  # trials that have compiled what they train with

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        """Every trial compiles its own."""
        del trials, emit
        return [(1, 1)] * len(wanted)

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        with only_new_garbage():
            for suggestion in trials:
                if suggestion.number not in wanted:
                    continue
                result = self._train(suggestion, watch)
                if result is None:
                    return
                yield result
                if self._checkpoint is not None:
                    self._checkpoint.remove()  # only now, when the result is kept

    def keep_only(self, numbers: Collection[int]) -> None:
        """No trial's end is kept: those that continue others are trained from their start."""

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        """None: nothing is continued."""
        del trials
        return frozenset()

    def without_checkpoints(self) -> Self:
        other = copy.copy(self)
        other._checkpoint = None  # noqa: SLF001  # of its own copy
        return other

    def _train(self, suggestion: Suggestion, watch: Watch) -> Result | None:
        """The result, or None if the user asked to stop."""
        log = self._fitted(suggestion, self._data, watch)
        if not isinstance(log, FitLog):
            return log
        if log.diverged:
            return failed(suggestion, DIVERGED, log.curve, log.seconds)
        weights = log.best_weights if self._spec.objective.take_best else tuple(log.model.get_weights())

        def predict() -> Any:
            with self._wall.part("score"):
                log.model.set_weights(list(weights))
                return called(log.model, self._data.validation.x)

        return scored(
            self._spec,
            suggestion,
            curve=log.curve,
            weights=weights,
            seconds=log.seconds,
            y=self._data.validation.y,
            predict=predict,
            pruned_at=log.pruned_at,
        )

    def _fitted(
        self, suggestion: Suggestion, data: SearchData, watch: Watch, *, at_most: int | None = None, every: bool = False
    ) -> FitLog | Result | None:
        """What `fit` told; the result where its code raised or logged no objective; None where the user asked to stop.

        After `at_most` epochs nobody needs more of it; `every` keeps the weights of all, in place of the best one's.
        """
        import keras

        policy = keras.config.dtype_policy()
        keras.backend.clear_session()  # else every trial's graph stays in memory
        keras.config.set_dtype_policy(policy)  # which a user's module set once, when it was imported
        started = time.perf_counter()
        watch.emit(PhaseBegan("build"))
        spec, log = self._spec, None
        try:
            plan = training_plan(spec, suggestion.params)
            model = compiled_model(spec, plan, data)
            log = FitLog(spec, suggestion, plan, model, watch, started, self._checkpoint, every)
            train, validation = data.train, data.validation
            watch.emit(PhaseBegan("compile", 0, 1))
            self.compiled += 1
            model.fit(
                train.x,
                train.y,
                epochs=min(plan.epochs, at_most or plan.epochs),
                initial_epoch=len(log.rows),
                batch_size=plan.batch_size,
                verbose=0,
                validation_data=(validation.x, validation.y),
                validation_batch_size=plan.batch_size,
                callbacks=[swap_of(), log.callback()],
            )
        except BaseException as error:  # a user's model, or an optimizer, may raise anything, `sys.exit` does too
            if not of_user(error):
                raise
            return failed(suggestion, error, log.curve if log else None)
        finally:
            for name, seconds in (log.spent if log else {"build": time.perf_counter() - started}).items():
                self._wall.add(name, seconds)
        if log.interrupted:
            return None
        if spec.objective.name not in log.curve:
            reason = f"the metric {spec.objective.name!r} was not logged, only {sorted(log.curve)}"
            return failed(suggestion, reason, log.curve, log.seconds)
        return log
