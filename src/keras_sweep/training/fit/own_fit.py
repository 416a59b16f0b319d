"""A model that the `fit` of its HyperModel trains: in phases, or by a loop of its own, as far as it tells of epochs."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_model import DEFAULT_OBJECTIVE, RETURNED, call_fit, returned
from keras_sweep.process.user_code import process_kept
from keras_sweep.space.text import listed
from keras_sweep.training.controls import watching_callbacks
from keras_sweep.training.fit.training import FitTraining
from keras_sweep.training.lane import Scored
from keras_sweep.training.outcome import curve_of, scored_epoch, trial_objective
from keras_sweep.training.row_values import CLOSE


class OwnFitTraining(FitTraining):
    """One curve of all epochs, in the order in which they were trained, whatever numbers they have.

    Each phase, a `model.fit` with the callbacks, stops early by Keras's own: no `Controls` watch all of them. What
    trains on although it was stopped counts no more.
    """

    def _call_fit(self, train: Any, callbacks: list[Any], batches: dict[str, Any], weights: Any, epoch: int) -> None:
        """Have `fit` train the model. The metrics that it returns count, of which the objective may be that of its best
        epoch; without them its best epoch does, as with KerasTuner. Raises anything, and ModelError where it returns a
        number that is not the metric that ranks."""
        del epoch
        fit, data = self._fit, replace(self.data, train=train)
        assert fit is not None
        how: dict[str, Any] = {"epochs": self._until} | ({} if weights is None else {"class_weight": weights})
        if "batch_size" in self._suggestion.params or data.stream is not None:  # else it may say so itself
            how |= batches
        how["callbacks"] = [*watching_callbacks(self.plan.training), *callbacks]
        hyper_parameters, built = fit.args[0], set(fit.args[0].values)
        with process_kept():
            found = call_fit(fit, data.train, data.validation, begun=lambda: self.rows, verbose=0, **how)
        new = [one for one in hyper_parameters.space if one.name in hyper_parameters.values and one.name not in built]
        if unknown := [one.name for one in new if type(one).__name__ != "Fixed"]:
            raise ModelError(
                f"the model's `fit` asked for {listed(unknown)} only once it trained, which no trial was to search",
                hint="Ask for it in `build`, or where `fit` begins",
            )
        objective = self._spec.objective
        name = objective.name
        metrics, values = returned(found, objective), curve_of(self.rows).get(name, ())
        number = metrics.pop(DEFAULT_OBJECTIVE, None) if name not in metrics else None
        metrics |= {} if number is None else {name: number}
        best = values[scored_epoch(trial_objective(objective, self._suggestion), values) - 1] if values else None
        if not self.stopped and name in metrics and metrics[name] != best:
            is_score = metrics[name] in values[-1:] or self._is_evaluated(name, metrics[name])
            of_keras = name.startswith("val_") or name in ("loss", *self._spec.metrics)
            if number is not None and of_keras and not is_score:
                raise ModelError(
                    f"{RETURNED} the number {number:.6g}, which is not the {name} of its model on the validation rows",
                    hint=f"Rank by the number, `metric: {{name: {DEFAULT_OBJECTIVE}, goal: minimize}}` without "
                    f"`metrics`, or return a dict, {{'{name}': ...}}; then run with --fresh",
                )
            self.end_row = {**dict(*self.rows[-1:]), **metrics}
            self.scored = Scored(None, is_score, at_end=True)

    def _is_evaluated(self, name: str, value: float) -> bool:
        """Whether the model scores that on the validation rows, as far as Keras can say."""
        with suppress(Exception):  # a model that nothing compiled
            return math.isclose(self.evaluate()[name.removeprefix("val_")], value, rel_tol=CLOSE)
        return False

    def _go_on(self) -> None:
        """Begin a phase."""

    def _end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        del epoch  # phases count anew
        if self.stopped:
            self.model.stop_training = True
            return
        if self._first_batch is None:  # a loop of the user's tells of no batches
            self._end_batch()
        super()._end_epoch(len(self.rows), logs)
