"""Train a trial by an objective function: the user's own code, which gets the trial's parameters and returns its value."""

import inspect
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_sweep.errors import ModelError, TrialPruned
from keras_sweep.models.hyper_model import DEFAULT_OBJECTIVE, parse_fit_result
from keras_sweep.models.inspect_model import Inspection
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.process.user_code import load_python, preserve_process
from keras_sweep.process.user_objects import display_name
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.fit.training import After, FitTraining
from keras_sweep.training.lane import Scored
from keras_sweep.training.outcome import read_numbers
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Seconds, Suggestion

FUNCTION_RETURNED = "the objective function returned"  # how messages of errors begin
OFFERED = ("params", "report", "trial", "folder", "seed")  # arguments that a function gets if it asks for them


def inspect_function(spec: SweepSpec) -> Inspection:
    """Return `spec`, without finalists if the function takes no `seed`, and a notice on what the sweep has not.

    Raises ModelError if the function and the parameters do not fit together.
    """
    function: Any = load_python(spec.function, spec.folder, ModelError)
    name, known = display_name(spec.function), (*spec.space.names, *spec.model.arguments)
    asked = _list_arguments(function)
    needed = [
        key for key, argument in asked.items() if argument.default is argument.empty and argument.kind.value in (1, 3)
    ]
    if missing := [key for key in needed if key not in (*known, *OFFERED)]:
        hint = "Add it to `parameters`, or give it a default value"
        raise ModelError(f"`objective`: {name} asks for {itemize(missing)}, which is no parameter", hint=hint)
    if not _takes_all(asked) and (ignored := [key for key in known if key not in asked]):
        hint = "Add it to the function's arguments. An argument `params` gets a dict of all parameters"
        raise ModelError(f"`objective`: {name} has no argument {itemize(ignored)}", hint=hint)
    has_seeds = "seed" in asked
    lacks = "no lanes, no expected score, no sealed test and no export"
    lacks += "" if has_seeds or spec.finalists is None else "; no finalists either, since the function takes no `seed`"
    words = f"{name} returns each trial's value, so the sweep has {lacks}"
    return Inspection(spec if has_seeds else replace(spec, finalists=None), notices=(words,))


def _list_arguments(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of another language
        return {"params": inspect.Parameter("params", inspect.Parameter.VAR_KEYWORD)}


def _takes_all(asked: Mapping[str, inspect.Parameter]) -> bool:
    return "params" in asked or any(argument.kind is argument.VAR_KEYWORD for argument in asked.values())


class FunctionTraining(FitTraining):
    """A call of an objective function. Its epochs are what it reports; what it returns is the trial's value."""

    def __init__(self, spec: SweepSpec, suggestion: Suggestion, files: Path | None, started: float) -> None:
        self.rows, self.end_row, self.end_weights, self.tested_weights = [], None, (), ()
        self.scored, self.has_stopped, self.can_set_weights, self.first_rate = Scored(), False, True, 0.0
        self.plan = training_plan(spec, suggestion.params)
        self._spec, self._suggestion, self._files, self._started = spec, suggestion, files, started
        self._ended = 0.0

    def train(
        self,
        epoch: int,
        until: int,
        after: After,
        rate: Callable[[], float | None] = lambda: None,
        *,
        moves: bool = False,
    ) -> None:
        del epoch, until, rate, moves  # the function decides
        import keras

        self._after, name = after, self._spec.objective.name
        function: Any = load_python(self._spec.function, self._spec.folder, ModelError)
        with without_tensorflow():
            keras.utils.set_random_seed(self.plan.seed)
        try:
            with preserve_process(), ExitStack() as stack:
                returned = function(**self._make_arguments(function, stack))
        except TrialPruned:
            if not self.has_stopped:
                raise
        finally:
            self._ended = time.perf_counter()
        if self.has_stopped:
            return
        returned = [returned] if hasattr(returned, "history") else returned
        metrics = parse_fit_result(returned, self._spec.objective, FUNCTION_RETURNED)
        metrics = {name if key == DEFAULT_OBJECTIVE else key: value for key, value in metrics.items()}
        if not any(name in row for row in (metrics, *self.rows)):
            what = f"no {name!r}, only {itemize(metrics)}" if metrics else f"nothing, and reported no {name!r}"
            raise ModelError(f"{FUNCTION_RETURNED} {what}", hint="Return a number, or a dict of metrics")
        if metrics:
            self.end_row, self.scored = {**dict(*self.rows[-1:]), **metrics}, Scored(at_end=True)

    def _make_arguments(self, function: Any, stack: ExitStack) -> dict[str, Any]:
        values, asked = dict(self.plan.model_arguments), _list_arguments(function)
        has_all = any(argument.kind is argument.VAR_KEYWORD for argument in asked.values())
        arguments = {key: value for key, value in values.items() if has_all or key in asked}
        offered = {"params": values, "report": self._report, "trial": self._suggestion.number, "seed": self.plan.seed}
        if "folder" in asked and "folder" not in values:
            offered["folder"] = self._make_folder(stack)
        return {**{key: value for key, value in offered.items() if key in asked}, **arguments}

    def _make_folder(self, stack: ExitStack) -> Path:
        if self._files is None:
            return Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kind = "trial" if self._suggestion.recipe is None else "finalist"
        folder = self._files / f"{kind}-{self._suggestion.number}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _report(self, value: Any, epoch: int | None = None) -> None:
        """Log an epoch, counted from 1. `value` is a number or a dict of metrics. Raises TrialPruned to end the trial."""
        expected = len(self.rows) + 1
        if not self.has_stopped:
            if epoch not in (None, expected):
                raise ValueError(f"`report` must get epoch {expected} now, but got {epoch}: epochs are 1, 2, 3, ...")
            self.rows.append(read_numbers(value if isinstance(value, Mapping) else {self._spec.objective.name: value}))
            self.has_stopped = not self._after(self.rows[-1])
        if self.has_stopped:
            raise TrialPruned(f"trial {self._suggestion.number} ends at epoch {len(self.rows)}")

    def end(self, *, is_scored_elsewhere: bool) -> None:
        """Do nothing: there are no weights."""

    def state(self) -> TrainingState:
        return TrainingState(())

    scored_state = state

    @property
    def seconds(self) -> Seconds:
        return Seconds(train=(self._ended or time.perf_counter()) - self._started)
