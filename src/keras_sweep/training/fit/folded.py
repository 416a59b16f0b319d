"""A trial trained by `fit` once a fold, one after the other, on any Keras backend; then their scores are joined."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.folds import epoch_outputs, fold_outputs, joined_scores
from keras_sweep.training.outcome import best_epoch, diverged, failed, scored
from keras_sweep.training.row_values import metrics_of_all_rows, over_all_rows
from keras_sweep.training.runner import NoWatch, Watch
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import DIVERGED, Result, Seconds, Suggestion, Weights

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FoldEnd:
    """How one fold ended."""

    rows: list[dict[str, float]]  # its curve, an epoch a row
    weights: Mapping[int, Weights]  # after an epoch: of its last one, or of each
    seconds: Seconds


def fit_runner(
    spec: SweepSpec,
    data: SearchData,
    *,
    checkpoints: Path | None = None,
    notice: Callable[[str], None] | None = None,
) -> FitRunner:
    """The plain runner of these data; the arguments are those of `FitRunner`. With folds no checkpoint is kept."""
    return FoldedFitRunner(spec, data) if data.folds else FitRunner(spec, data, checkpoints=checkpoints, notice=notice)


class FoldedFitRunner(FitRunner):
    """Trains every fold to its end. A rung is asked afterwards, of the joined curve: that saves no time, and the trial
    is pruned where it would have been had its folds gone in step. A trial that was stopped begins anew."""

    def __init__(self, spec: SweepSpec, data: SearchData) -> None:
        super().__init__(spec, data)
        whole = metrics_of_all_rows(spec)
        ranked = spec.objective.name.removeprefix("val_") in whole
        self._anew = whole if ranked else ()  # computed over all rows, after every epoch

    def _train(self, suggestion: Suggestion, watch: Watch) -> Result | None:
        """The result, or None if the user asked to stop."""
        plan = training_plan(self._spec, suggestion.params)
        ends: list[FoldEnd] = []
        epochs = plan.epochs  # that all folds before have: one that diverged ended early
        for fold in range(len(self._data.folds)):
            end = self._fold(suggestion, fold, epochs, ends, watch)
            if end is None:
                return None
            if isinstance(end, Result):
                return replace(end, reason=f"fold {fold + 1} of {len(self._data.folds)}: {end.reason}")
            ends.append(end)
            epochs = min(epochs, len(end.rows))
        return self._joined(suggestion, ends, watch)

    def _fold(
        self, suggestion: Suggestion, fold: int, epochs: int, before: Sequence[FoldEnd], watch: Watch
    ) -> FoldEnd | Result | None:
        """Train one; None if the user asked to stop."""
        data = self._data.fold(fold)
        spec = replace(self._spec, objective=replace(self._spec.objective, take_best=False))
        plan = training_plan(self._spec, suggestion.params)
        last = fold + 1 == len(self._data.folds)
        count = len(self._data.folds)
        watching = _LastFold(watch, partial(self._row, before)) if last else _Fold(watch, f"fold {fold + 1} of {count}")
        every = bool(self._anew) or self._spec.take_best or bool(watch.rungs(plan.epochs))
        fitted = self._fitted(spec, suggestion, data, watching, at_most=epochs, every=every)
        if isinstance(fitted, Result):
            return fitted
        log, model = fitted
        if log.interrupted:
            return None
        if spec.objective.name not in log.curve:
            reason = f"the metric {spec.objective.name!r} was not logged, only {sorted(log.curve)}"
            return failed(suggestion, reason, runner=self.name, curve=log.curve, seconds=log.seconds)
        weights = dict(enumerate(log.every_weights, start=1)) if every else {len(log.rows): tuple(model.get_weights())}
        return FoldEnd(log.rows, weights, log.seconds)

    def _joined(self, suggestion: Suggestion, ends: Sequence[FoldEnd], watch: Watch) -> Result:
        """The trial's result from those of its folds."""
        objective, plan = self._spec.objective, training_plan(self._spec, suggestion.params)
        epochs = min(len(end.rows) for end in ends)
        rows: list[Row] = [self._row(ends[:-1], epoch, ends[-1].rows[epoch - 1]) for epoch in range(1, epochs + 1)]
        if self._anew:
            rows = self._of_all_rows(suggestion, ends, rows)
        seconds = Seconds(
            sampler=suggestion.sampler_seconds,
            compile=sum(end.seconds.compile for end in ends),
            train=sum(end.seconds.train for end in ends),
            validate=sum(end.seconds.validate for end in ends),
        )
        pruned_at = None
        for rung in watch.rungs(plan.epochs):
            value = rows[rung - 1][objective.name] if rung <= epochs else math.nan
            if math.isfinite(value) and watch.rung(rung, {suggestion.number: value}):
                pruned_at, rows = rung, rows[:rung]
                break
        curve = {name: tuple(row[name] for row in rows) for name in rows[0]}
        if diverged(list(rows[-1].values())):
            return failed(suggestion, DIVERGED, runner=self.name, curve=curve, seconds=seconds)
        epoch = best_epoch(objective, curve[objective.name]) if self._spec.take_best else len(rows)
        weights = [end.weights[epoch] for end in ends]
        return scored(
            self._spec,
            suggestion,
            curve=curve,
            weights=tuple(array for each in weights for array in each),
            seconds=seconds,
            runner=self.name,
            y=self._data.validation.y,
            predict=lambda: fold_outputs(self._spec, self._data, suggestion.params, weights),
            pruned_at=pruned_at,
        )

    def _of_all_rows(self, suggestion: Suggestion, ends: Sequence[FoldEnd], rows: Sequence[Row]) -> list[Row]:
        """The epochs with those metrics too that are had of all outputs alone; NaN where a fold diverged."""
        finite = len(list(takewhile(lambda row: not diverged(list(row.values())), rows)))
        weights = [[end.weights[epoch] for epoch in range(1, finite + 1)] for end in ends]
        outputs = epoch_outputs(self._spec, self._data, suggestion.params, weights)
        y = self._data.validation.y
        values = {name: [over_all_rows(name, y, each) for each in outputs] for name in self._anew}
        return [
            {**row, **{f"val_{name}": of[place] if place < finite else math.nan for name, of in values.items()}}
            for place, row in enumerate(rows)
        ]

    def _row(self, before: Sequence[FoldEnd], epoch: int, last: Row) -> dict[str, float]:
        """The joined metrics of an epoch that every fold has trained, counted from 1; without `_of_all_rows`."""
        rows = [*(end.rows[epoch - 1] for end in before), last]
        folds = self._data.folds
        held = joined_scores([_named(row, validation=True) for row in rows], [len(fold.held) for fold in folds])
        train = joined_scores([_named(row, validation=False) for row in rows], [len(fold.train) for fold in folds])
        anew = {f"val_{name}" for name in self._anew}
        return {name: float(value) for name, value in (train | held).items() if name not in anew}


def _named(row: Row, *, validation: bool) -> Row:
    return {name: value for name, value in row.items() if name.startswith("val_") is validation}


class _Fold(NoWatch):
    """Hears of a fold that others follow: no metric of all rows is known yet."""

    def __init__(self, watch: Watch, words: str) -> None:
        self._watch = watch
        self._words = words

    def epoch(self, number: int, epoch: int, logs: Row) -> None:
        del number, logs
        self._watch.phase(f"training {self._words}, epoch {epoch} is done")

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        self._watch.phase(name, done, total, per_trial)

    def stopping(self) -> bool:
        return self._watch.stopping()


class _LastFold(_Fold):
    """Passes on the joined metrics as the last fold comes to them."""

    def __init__(self, watch: Watch, joined: Callable[[int, Row], Row]) -> None:
        super().__init__(watch, "the last fold")
        self._joined = joined

    def epoch(self, number: int, epoch: int, logs: Row) -> None:
        self._watch.epoch(number, epoch, self._joined(epoch, logs))
