"""A trial trained by `fit` once a fold, one after the other, on any Keras backend; then their scores are joined."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.fit.runner import FitRunner, Trained
from keras_sweep.training.folds import fold_outputs, joined_score, model_of
from keras_sweep.training.losses import metric_of
from keras_sweep.training.outcome import Failure, curve_of, diverged, failed, scored, scored_epoch, trial_objective
from keras_sweep.training.row_values import metrics_of_all_rows, over_all_rows
from keras_sweep.training.runner import StopsAt, Watch
from keras_sweep.trial.events import EpochEnded, Event, Listener, PhaseBegan
from keras_sweep.trial.plan import training_plan, watches
from keras_sweep.trial.result import DIVERGED, Result, Seconds, Suggestion, Weights

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FoldEnd:
    """How one fold ended."""

    rows: list[dict[str, float]]  # its curve, an epoch a row
    weights: Mapping[int, Weights]  # after an epoch: of its last one, or of each
    seconds: Seconds
    reason: str | None  # as that of a whole trial
    is_validation_score: bool


def fit_runner(spec: SweepSpec, data: SearchData, **given: Any) -> FitRunner:
    """The plain runner of these data; the arguments are those of `FitRunner`."""
    return (FoldedFitRunner if data.folds else FitRunner)(spec, data, **given)


class FoldedFitRunner(FitRunner):
    """Trains every fold to its end. A rung is asked afterwards, of the joined curve: that saves no time, and the trial
    is pruned where it would have been had its folds gone in step. A trial that was stopped begins anew."""

    def __init__(self, spec: SweepSpec, data: SearchData, **given: Any) -> None:
        """As `FitRunner`; no checkpoint is kept.

        Raises UsageError: what watches the curve of a trial can't wait for its last fold.
        """
        if watches(spec):
            raise UsageError(
                "with folds by `fit` each fold trains to its end before the next: `early_stopping` and "
                "`reduce_lr_on_plateau` would watch one alone",
                hint="Leave them out, or train lanes, on the JAX backend: those train folds in step",
            )
        super().__init__(spec, data, **{**given, "checkpoints": None})
        self._anew = metrics_of_all_rows(spec)  # computed after every epoch

    def train(self, suggestion: Suggestion, watch: Watch, rungs: Sequence[int] = ()) -> Trained | None:
        plan = training_plan(self._spec, suggestion.params)
        asked = watch.judge.rungs(plan.epochs)
        take_best, callbacks = self._spec.objective.take_best, self._spec.training.callbacks
        every = bool(take_best or callbacks or self._anew or [*rungs, *asked])
        ends: list[FoldEnd] = []
        epochs = plan.epochs  # that all folds before have: one that diverged ended early
        for fold in range(len(self._data.folds)):
            looking = replace(watch, judge=StopsAt(), emit=self._told(fold, ends, watch.emit))
            log = self._fitted(suggestion, self._data.fold(fold), looking, at_most=epochs, every=every)
            if log is None:
                return None
            if isinstance(log, Result):
                return Trained(replace(log, reason=f"fold {fold + 1} of {len(self._data.folds)}: {log.reason}"))
            rows, weights = log.scored_rows, log.weights
            if log.end_row is not None or not weights:
                weights = {**weights, len(rows): log.left}
            epochs = min(epochs, len(rows))
            ends.append(FoldEnd(rows, weights, log.seconds, log.reason, log.is_validation_score))
        trained = self._joined(suggestion, ends, [*rungs, *asked])
        return trained if rungs else Trained(trained.judged(watch.judge))

    def _told(self, fold: int, before: Sequence[FoldEnd], emit: Listener) -> Listener:
        """A listener that passes on how a fold fares: no epoch of the trial has ended before its last fold's."""
        count = len(self._data.folds)

        def tell(event: Event) -> None:
            if not isinstance(event, EpochEnded):
                emit(event)
            elif fold + 1 < count:
                emit(PhaseBegan(f"training fold {fold + 1} of {count}, epoch {event.epoch} is done"))
            else:
                emit(replace(event, logs=self._row(before, event.epoch, event.logs)))

        return tell

    def _joined(self, suggestion: Suggestion, ends: Sequence[FoldEnd], rungs: Sequence[int]) -> Trained:
        """The trial from the ends of its folds, and what it would be had it ended at one of the rungs."""
        objective = self._spec.objective
        epochs = min(len(end.rows) for end in ends)
        rows: list[Row] = [self._row(ends[:-1], epoch, ends[-1].rows[epoch - 1]) for epoch in range(1, epochs + 1)]
        if self._anew:
            rows = self._of_all_rows(suggestion, ends, rows)
        seconds = sum((replace(end.seconds, sampler=0.0) for end in ends), Seconds(sampler=suggestion.sampler_seconds))

        def ended(epochs: int, pruned_at: int | None) -> Result:
            curve = curve_of(rows[:epochs])
            if diverged(list(rows[epochs - 1].values())):
                return failed(suggestion, Failure(DIVERGED), curve, seconds)
            epoch = scored_epoch(trial_objective(objective, suggestion), curve[objective.name])
            weights = _weights(ends, epoch)
            return scored(
                self._spec,
                suggestion,
                curve=curve,
                epoch=epoch,
                weights=weights,
                seconds=seconds,
                rows=self._data.validation,
                predict=lambda: fold_outputs(self._spec, self._data, suggestion.params, [weights])[0],
                model=lambda: model_of(self._spec, self._data, suggestion.params, weights),
                is_validation_score=all(end.is_validation_score for end in ends),
                reason=next((end.reason for end in ends if end.reason), None),
                pruned_at=pruned_at,
            )

        finite = [rung for rung in rungs if rung <= epochs and math.isfinite(rows[rung - 1][objective.name])]
        return Trained(ended(epochs, None), {rung: ended(rung, rung) for rung in finite})

    def _of_all_rows(self, suggestion: Suggestion, ends: Sequence[FoldEnd], rows: Sequence[Row]) -> list[Row]:
        """The epochs with those metrics too that are had of all outputs alone; NaN where a fold diverged."""
        finite = len(list(takewhile(lambda row: not diverged(list(row.values())), rows)))
        weights = [_weights(ends, epoch) for epoch in range(1, finite + 1)]
        outputs = fold_outputs(self._spec, self._data, suggestion.params, weights)
        held = self._data.validation
        metrics = {name: metric_of(self._spec, name) for name in self._anew}
        values = {name: [over_all_rows(metric, held, each) for each in outputs] for name, metric in metrics.items()}
        return [
            {**row, **{f"val_{name}": of[place] if place < finite else math.nan for name, of in values.items()}}
            for place, row in enumerate(rows)
        ]

    def _row(self, before: Sequence[FoldEnd], epoch: int, last: Row) -> dict[str, float]:
        """The joined metrics of an epoch that every fold has trained, counted from 1; without `_of_all_rows`."""
        rows = [*(end.rows[epoch - 1] for end in before), last]
        anew = {f"val_{name}" for name in self._anew}
        joined = {}
        for name in rows[0]:
            if name not in anew and all(name in row for row in rows):
                held = [fold.held if name.startswith("val_") else fold.train for fold in self._data.folds]
                joined[name] = float(joined_score(name, [row[name] for row in rows], held, self._data.train.weights))
        return joined


def _weights(ends: Sequence[FoldEnd], epoch: int) -> Weights:
    """Those of all folds' models after an epoch."""
    return tuple(array for end in ends for array in end.weights[epoch])
