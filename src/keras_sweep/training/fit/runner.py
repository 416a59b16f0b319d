"""The plain runner: trials by Keras's own `fit`, one after another, or by workers, on any Keras backend."""

import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, UsageError
from keras_sweep.models.hyper_model import RETURNED
from keras_sweep.process.backend import only_new_garbage, versions
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.fit.generation import FitGeneration
from keras_sweep.training.fit.programs import FitPrograms
from keras_sweep.training.group import Group, Segment, Tell
from keras_sweep.training.group_runner import AT_ONCE, GroupRunner, Train
from keras_sweep.trial.plan import watches
from keras_sweep.trial.result import Result

AHEAD = 64  # generations that workers are given, where they may be


class FitRunner(GroupRunner):
    """Trains every trial as the lesson does: seed, build, compile, `fit` with validation after each epoch.

    A suggestion that continues another is trained from its first epoch, which gives the same numbers. A trial that was
    stopped goes on from its checkpoint, but on TensorFlow, and with callbacks or a `fit` of the user's, where it begins
    anew.
    """

    _generation = FitGeneration

    def __init__(self, spec: SweepSpec, data: SearchData, **how: Any) -> None:
        """As `GroupRunner`. Raises UsageError: `fit` can't train this on these data."""
        import keras

        if data.stream is not None and (wrong := _beside_stream(spec)) is not None:
            raise UsageError(
                f"`fit` iterates the training dataset as it is, beside which there is no {wrong}",
                hint=f"Leave {wrong} out, or give training rows that fit into memory",
            )
        super().__init__(spec, data, **how)
        if self._shared is not None:
            self._shared.look(versions)
            self.ahead = AHEAD
        self.name = f"fit/{keras.backend.backend()}"
        self._programs = FitPrograms(spec, data, is_worker=False)
        self._spec = self._programs.spec
        if not self._programs.moves:
            self._checkpoint = None
            if data.folds and watches(spec):
                raise UsageError(
                    "with folds by `fit` each fold trains to its end before the next: `early_stopping` and "
                    "`reduce_lr_on_plateau` would watch one alone",
                    hint="Leave them out, or train lanes, on the JAX backend: those train folds in step",
                )

    def _train_here(self, stack: ExitStack, stopping: Callable[[], bool], tell: Tell) -> tuple[Train, int]:
        """One after the other in this thread, each as far as it goes."""

        def train(group: Group) -> Future[Segment]:
            future: Future[Segment] = Future()
            future.set_result(group.train(sys.maxsize, stopping, tell))
            return future

        stack.enter_context(only_new_garbage())
        stack.callback(self._programs.forget)
        return train, 0

    def _at_once(self) -> int:
        """One a worker, so that what has begun goes on there."""
        return (self._shared and self._shared.count()) or AT_ONCE

    def _check(self, result: Result) -> Result:
        """Raises ModelError if it is the first trial's, whose own `fit` returned what ranks no trial."""
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
