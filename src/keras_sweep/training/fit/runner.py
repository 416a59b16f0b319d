"""The plain runner: train trials with Keras's own `fit`, in order or by workers, on any Keras backend."""

import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.process.backend import collect_only_new_garbage, get_versions
from keras_sweep.space.sweep_spec import SweepSpec, Training
from keras_sweep.training.build_trial import fits_itself
from keras_sweep.training.fit.group import FitGroup
from keras_sweep.training.fit.programs import FitPrograms
from keras_sweep.training.generation import TrainingGeneration
from keras_sweep.training.group import Group, Segment, Tell
from keras_sweep.training.group_runner import MAX_SEGMENTS, GroupRunner, Train
from keras_sweep.training.lane import EndStates, Lane
from keras_sweep.training.runner import StopsAt, Watch
from keras_sweep.trial.plan import training_plan, watches
from keras_sweep.trial.result import Suggestion

AHEAD = 64  # generations that workers train in advance


class FitGeneration(TrainingGeneration):
    """A generation with a group per trial. A rung compares trials in order, without waiting for later trials."""

    compares_together = False

    def __init__(self, spec: SweepSpec, programs: FitPrograms, ends: EndStates | None, watch: Watch) -> None:
        super().__init__(spec, programs, ends, watch)
        programs.emit = watch.emit

    def _regroup(self, waiting: Sequence[Group]) -> None:
        """Do nothing: every lane has its own group."""

    def _select(self, trials: Sequence[Suggestion], wanted: frozenset[int]) -> list[tuple[Suggestion, None]]:
        pruner = self._watch.pruner
        last = -1 if isinstance(pruner, StopsAt) else max(wanted, default=-1)  # `StopsAt` compares no trials
        before = [trial for trial in trials if trial.number < last]
        compared = {trial.number for trial in before if pruner.rungs(training_plan(self._spec, trial.params).epochs)}
        return [(trial, None) for trial in trials if trial.number in wanted | compared]

    def _make_lane(self, suggestion: Suggestion, own_model: None, *, wanted: bool) -> Lane:
        plan = training_plan(self._spec, suggestion.params)
        rungs = self._watch.pruner.rungs(plan.epochs)
        if fits_itself(self._spec):  # Keras's own callbacks stop each `model.fit` early
            plan = replace(plan, training=Training(seconds=plan.training.seconds))
        return Lane(suggestion, None, plan, math.nan, 0, {}, rungs, own_model, None, wanted)

    def _make_group(self, numbers: Sequence[int], epoch: int, begins: Any = None, *_: Any) -> FitGroup:
        (number,) = numbers
        return FitGroup(
            self._programs, self.lanes[number], self._spec.objective, epoch, begins[number] if begins else None
        )


class FitRunner(GroupRunner):
    """Trains every trial as a user would: seed, build, compile, then `fit` with validation after each epoch.

    A trial that continues another trial trains again from epoch 1, with equal results. Interrupted trials resume from a
    checkpoint; with TensorFlow, or a callback, dataset or `fit` of the user, they start again.
    """

    _generation = FitGeneration

    def __init__(self, spec: SweepSpec, data: SearchData, **options: Any) -> None:
        """Take `options` as `MakeRunner` does. Raises UsageError if `fit` can't train this sweep on these data."""
        import keras

        if data.stream is not None and (conflict := _find_stream_conflict(spec)) is not None:
            raise UsageError(
                f"{conflict} needs all training rows, but `fit` reads this dataset batch by batch",
                hint=f"Leave out {conflict}, or use training rows that fit into memory",
            )
        super().__init__(spec, data, **options)
        if self._shared is not None:
            self._shared.look(get_versions)
            self.ahead = AHEAD
        self.name = f"fit/{keras.backend.backend()}"
        self._programs = FitPrograms(spec, data, is_worker=False)
        if (checkpoints := options.get("checkpoints")) is not None:
            self._programs.files = checkpoints.with_name("files")
        self._spec = self._programs.spec
        if not self._programs.moves:
            self._checkpoint = None
            if data.folds and watches(spec):
                raise UsageError(
                    "`early_stopping` and `reduce_lr_on_plateau` can't watch folds or seeds: `fit` trains them in turn",
                    hint="Leave them out, or use the JAX backend without callbacks of your own",
                )

    def _train_here(self, stack: ExitStack, stopping: Callable[[], bool], tell: Tell) -> tuple[Train, int]:

        def train(group: Group) -> Future[Segment]:
            future: Future[Segment] = Future()
            future.set_result(group.train(sys.maxsize, stopping, tell))
            return future

        stack.enter_context(collect_only_new_garbage())
        stack.callback(self._programs.forget)
        return train, 0

    def _count_segments(self) -> int:
        """Return how many trials train at once: a trial per worker, so that each trial resumes on its worker."""
        return (self._shared and self._shared.workers.count()) or MAX_SEGMENTS


def _find_stream_conflict(spec: SweepSpec) -> str | None:
    training, names = spec.training, [parameter.name for parameter in spec.space.parameters]
    conflicts = {
        "`finish: {refit: true}`": spec.needs_refit,
        "`class_weight: balanced`": training.class_weight == "balanced" or "training.class_weight" in names,
        "`adapt`": training.adapt,
        "parameter `batch_size`": "batch_size" in names,
    }
    return next((conflict for conflict, is_used in conflicts.items() if is_used), None)
