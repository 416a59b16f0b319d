"""Call an objective function: the user's own code, which gets a trial's parameters and returns the trial's value."""

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from keras_sweep.errors import ModelError, TrialPruned
from keras_sweep.models.hyper_model import DEFAULT_OBJECTIVE, parse_fit_result
from keras_sweep.models.inspect_model import Inspection
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.process.user_code import load_python, preserve_process
from keras_sweep.process.user_objects import display_name
from keras_sweep.space.sweep_spec import FUNCTION_LACKS, SweepSpec
from keras_sweep.space.text import itemize
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.fit.training import After, FitTraining
from keras_sweep.training.lane import Scored
from keras_sweep.training.outcome import read_numbers
from keras_sweep.trial.plan import CallbackTrial, training_plan
from keras_sweep.trial.result import Seconds, Suggestion

FUNCTION_RETURNED = "the objective function returned"  # how messages of errors begin
OFFERED = ("params", "report", "trial", "folder", "seed")  # a function gets these arguments if its signature has them


def inspect_function(spec: SweepSpec) -> Inspection:
    """Return `spec`, without finalists if the function takes no `seed`, and a notice of what the sweep has not. Raises
    ModelError if the function can't be called with the parameters."""
    function, name = load_python(spec.function, spec.folder, ModelError), display_name(spec.function)
    values = dict.fromkeys([*spec.model.arguments, *spec.space.names])
    arguments = _select_arguments(function, values, dict.fromkeys(OFFERED))
    try:
        inspect.signature(function).bind(**arguments)  # type: ignore[arg-type]
    except TypeError as error:
        hint = "Name the argument under `parameters`, or give it a default value"
        raise ModelError(f"`objective`: {name} can't be called with the parameters: {error}", hint=hint) from None
    if "params" not in arguments and (ignored := values.keys() - arguments.keys()):
        hint = "Add it to the function, or add an argument `params`, which is a dict of all parameters"
        raise ModelError(f"`objective`: {name} has no argument {itemize(sorted(ignored))}", hint=hint)
    words = f"{name} returns each trial's value, so there are {FUNCTION_LACKS}"
    if "seed" not in arguments and spec.finalists is not None:
        words += "; without an argument `seed`, no finalists either"
        spec = replace(spec, finalists=None)
    return Inspection(spec, notices=(words,))


def _select_arguments(function: Any, values: Mapping[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the function takes, from the parameters `values` and from what is `offered`."""
    taken = inspect.signature(function).parameters
    takes_all = any(argument.kind is argument.VAR_KEYWORD for argument in taken.values())
    return {key: value for key, value in {**offered, **values}.items() if key in taken or (takes_all and key in values)}


class FunctionTraining(FitTraining):
    """A call of an objective function. An epoch is what it reports, and its result is the trial's value."""

    def __init__(self, spec: SweepSpec, suggestion: Suggestion, files: Path | None, started: float) -> None:
        self.rows, self.can_set_weights, self.first_rate = [], True, 0.0
        self.plan, self._spec, self._suggestion = training_plan(spec, suggestion.params), spec, suggestion
        self._files, self._started = files, started

    def train(self, epoch: int, until: int, after: After, rate: Callable[[], float | None] = float, **_: bool) -> None:
        """Call the function. It decides how many epochs it trains. Raises errors of user code."""
        del epoch, until, rate
        import keras

        self._after, objective, number = after, self._spec.objective, self._suggestion.number
        function: Any = load_python(self._spec.function, self._spec.folder, ModelError)
        with without_tensorflow():
            keras.utils.set_random_seed(self.plan.seed)
        with preserve_process(), TemporaryDirectory(prefix="sweep-") as spare:
            folder = (self._files or Path(spare)) / CallbackTrial.from_suggestion(self._suggestion).name
            values = dict(self.plan.model_arguments)
            offered = dict(zip(OFFERED, (values, self._report, number, folder, self.plan.seed), strict=True))
            arguments = _select_arguments(function, values, offered)
            if arguments.get("folder") is folder:
                folder.mkdir(parents=True, exist_ok=True)
            try:
                returned = function(**arguments)
            except TrialPruned:
                if not self.has_stopped:
                    raise
        if self.has_stopped:
            return
        returned = [returned] if hasattr(returned, "history") else returned  # a History counts with its best epoch
        metrics = parse_fit_result(returned, objective, FUNCTION_RETURNED)
        metrics = {objective.name if name == DEFAULT_OBJECTIVE else name: value for name, value in metrics.items()}
        if not any(objective.name in row for row in (metrics, *self.rows)):
            raise ModelError(f"{FUNCTION_RETURNED} {itemize(metrics) or 'nothing'}, and reported no {objective.name!r}")
        if metrics:
            self.end_row, self.scored = {**dict(*self.rows[-1:]), **metrics}, Scored(at_end=True)

    def _report(self, value: Any, epoch: int | None = None) -> None:
        """Log the epoch's metrics: a number, or a dict. Raises TrialPruned if the trial ends here."""
        expected = len(self.rows) + 1
        if not self.has_stopped:
            if epoch not in (None, expected):
                raise ValueError(f"`report` needs the epochs 1, 2, 3, ... in turn: now {expected}, but got {epoch}")
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
        return Seconds(train=time.perf_counter() - self._started)
