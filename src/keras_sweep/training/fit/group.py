"""Train a trial with `fit`, as a group of a single lane.

If training can be resumed exactly, a trial pauses at rungs, may move to another process, and trains its folds epoch by
epoch. Otherwise a trial trains from start to end at once. Its epochs are stored, and reported later, rung by rung.
"""

from __future__ import annotations

import copy
import math
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from functools import partial
from itertools import chain
from operator import sub
from typing import TypeVar

from keras_sweep.data.arrays import each
from keras_sweep.models.hyper_model import RETURNED
from keras_sweep.process.user_code import user_errors
from keras_sweep.space.search_space import Objective
from keras_sweep.training.build_trial import call_model
from keras_sweep.training.checkpoint import TrainingState, join_states
from keras_sweep.training.fit.programs import FitPrograms, LiveTrial
from keras_sweep.training.fit.training import FitTraining, OwnFitTraining
from keras_sweep.training.folds import join_fold_rows, join_scores
from keras_sweep.training.group import Group, Report, Segment, Tell
from keras_sweep.training.lane import Controls, Lane, LaneEnd, Scored
from keras_sweep.training.losses import make_metric
from keras_sweep.training.outcome import Failure, TrialFailed, has_diverged, make_curve, trial_objective
from keras_sweep.training.row_values import score_all_rows
from keras_sweep.trial.events import PhaseBegan
from keras_sweep.trial.result import Seconds, Weights

Row = Mapping[str, float]
Trained = TypeVar("Trained")


class FitGroup(Group):
    def __init__(
        self, programs: FitPrograms, lane: Lane, objective: Objective, epoch: int, begins: TrainingState | None
    ) -> None:
        super().__init__(programs, [lane], objective, epoch, {lane.number: begins})
        self.moves, self.files = programs.moves, programs.files
        self._ahead: deque[tuple[Report, Lane]] = deque()  # trained epochs to be read, each with the lane after it
        self._reported = lane.seconds

    @property
    def lane(self) -> Lane:
        return self.lanes[0]

    @property
    def remaining(self) -> int:
        """The training priority: highest for a started trial, 0 for a new trial with rungs, else the epochs left."""
        return sys.maxsize if self.epoch else 0 if self.lane.rungs else super().remaining

    def segment_end(self) -> int:
        return min((rung for rung in self.lane.rungs if rung > self.epoch), default=sys.maxsize)

    def state(self, lane: Lane) -> TrainingState | None:
        live = self._programs.find_live(lane, self.epoch) if self._programs is not None and self.moves else None
        return live.state() if live is not None and live.has_trained else super().state(lane)

    def take(self, source: FitGroup) -> None:
        super().take(source)
        self.moves, self._ahead, self._reported = source.moves, source._ahead, source._reported

    def train(self, until: int, stopping: Callable[[], bool] = lambda: False, tell: Tell | None = None) -> Segment:
        segment = super().train(until, stopping, tell)
        if self.finished:
            self.lane.end = None  # the trial fails, even if its epochs ended well
        return segment

    def _train(self, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        if not self._ahead:
            with self._programs.open_trial(self.lane, self.epoch, super().state(self.lane)) as live:
                self._programs.files = self.files
                if self._programs.data.folds:
                    self._train_folds(live, until, stopping, report)
                elif self._get_part(live, 0) and (self.moves or not self._programs.is_worker):
                    self._train_whole(live, until, stopping, report)
                else:
                    self._train_ahead(lambda note: self._train_whole(live, sys.maxsize, stopping, note))
        self._read_ahead(until, report)

    def _get_part(self, live: LiveTrial, fold: int) -> FitTraining:
        part: FitTraining = self._programs.get_part(live, fold)
        lane = self.lane
        live.moves = self.moves = self.moves and not part.can_set_weights
        if lane.controls is None:
            lane.controls = Controls.from_training(lane.plan.training, part.first_rate, lane.rows)
        return part

    def _current_rate(self) -> float | None:
        controls, falls = self.lane.controls, self.lane.plan.training.reduce_lr_on_plateau is not None
        return controls.learning_rate if controls is not None and falls else None

    def _train_whole(self, live: LiveTrial, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        lane, part, interrupted = self.lane, live.parts[0], False

        def after(row: dict[str, float]) -> bool:
            nonlocal interrupted
            lane.seconds = live.seconds
            self._log(lane, row, part.scored_state, finite=True)
            if part.can_set_weights and lane.end is LaneEnd.DONE:  # a user's `fit` ends only when it returns
                lane.end = None
            report(self._make_report(live))
            at_end = len(lane.rows) == lane.plan.epochs
            interrupted = lane.training and not at_end and (not lane.is_needed or stopping())
            return lane.end in (None, LaneEnd.DONE) and not interrupted

        try:
            part.train(self.epoch, min(until, lane.plan.epochs), after, self._current_rate, moves=self.moves)
        except BaseException:
            if interrupted or lane.end is LaneEnd.PRUNED:  # a user's `fit` may raise if it is stopped early
                return
            raise
        waits = self.moves and lane.training and self.epoch == until  # at a rung
        if not (interrupted or waits):
            self._end_trial(live, part, report)

    def _end_trial(self, live: LiveTrial, part: FitTraining, report: Tell) -> None:
        lane = self.lane
        objective = trial_objective(self._objective, lane.suggestion)
        is_scored_elsewhere = (
            objective.take_best or lane.epoch_to_restore is not None or lane.end in (LaneEnd.DIVERGED, LaneEnd.PRUNED)
        )
        part.end(is_scored_elsewhere=is_scored_elsewhere)
        if lane.end is LaneEnd.PRUNED:
            return
        lane.seconds = live.seconds
        if part.end_row is not None:
            lane.rows[-1:] = [part.end_row]
        self._check_logged(part, lane.rows)
        if part.end_row is not None:
            lane.last, lane.scored = TrainingState(part.end_weights), part.scored
            lane.end = LaneEnd.DIVERGED if has_diverged(part.end_row) else lane.end
        elif lane.end is None:
            lane.last = TrainingState(part.tested_weights or part.end_weights)
        self._report_end(report)

    def _report_end(self, report: Tell) -> None:
        self.lane.end = self.lane.end or LaneEnd.DONE
        report(Report(len(self.lane.rows), ended=(self.lane.number,)))

    def _make_report(self, live: LiveTrial) -> Report:
        lane = self.lane
        live.epoch = self.epoch = len(lane.rows)
        lane.seconds = live.seconds
        took = Seconds(*map(sub, astuple(lane.seconds), astuple(self._reported)))
        self._reported = lane.seconds
        return Report(self.epoch, {lane.number: lane.rows[-1]}, seconds=took)

    def _check_logged(self, part: FitTraining, rows: Sequence[Row]) -> None:
        curve, name = make_curve(rows), self._objective.name
        if name not in curve:
            what = f"the metric {name!r} was not logged,"
            if isinstance(part, OwnFitTraining):
                what = f"{RETURNED} no {name!r}, and its epochs logged"
            raise TrialFailed(Failure(f"{what} only {', '.join(sorted(curve))}"))

    def _train_ahead(self, train: Callable[[Tell], None]) -> None:
        """Call `train`, and store its reports for `_read_ahead`. If training was stopped early, store nothing."""
        lane, notes = self.lane, deque[tuple[Report, Lane]]()

        def note(report: Report) -> None:
            snapshot = copy.copy(lane)
            snapshot.rows, snapshot.controls = list(lane.rows), None
            notes.append((report, snapshot))

        note(Report())
        try:
            train(note)
        except user_errors() as error:
            note(Report(len(lane.rows) + 1, failure=Failure.from_error(error)))
        _, start = notes.popleft()
        if notes and (notes[-1][0].ended or notes[-1][0].failure):
            self._ahead = notes
        lane.copy_progress(start)
        self.epoch = 0

    def _read_ahead(self, until: int, report: Tell) -> None:
        """Report the stored epochs up to epoch `until`. Raises TrialFailed if training has failed by then."""
        while self._ahead and self._ahead[0][0].epoch <= until and self.lane.end is not LaneEnd.PRUNED:
            note, snapshot = self._ahead.popleft()
            if note.failure is not None:
                raise TrialFailed(note.failure)
            self.lane.copy_progress(snapshot)
            self.epoch = len(snapshot.rows)
            report(note)

    def _train_folds(self, live: LiveTrial, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        """Train the folds together, epoch by epoch. If their states can't be restored, train fold after fold."""
        lane, count = self.lane, len(self._programs.data.folds)
        self._train_fold(live, 0, lambda _: None)
        if not self.moves:
            self._train_ahead(lambda note: self._train_folds_in_turn(live, stopping, note))
            return

        def train(part: FitTraining) -> int:
            """Train a fold for an epoch. Return the number of trained epochs: 0 if a Keras setting allows no more."""
            before = len(part.rows)
            part.train(self.epoch, self.epoch + 1, lambda _: True, self._current_rate, moves=True)
            return len(part.rows) - before

        while self.training and self.epoch < until and not stopping():
            trained = [self._train_fold(live, fold, train) for fold in range(count)]
            if not all(trained):
                lane.end = LaneEnd.DONE
                break
            row, lane.seconds = self._join_row([part.rows[-1] for part in live.parts], live.parts), live.seconds
            self._log(lane, row, lambda: join_states([part.scored_state() for part in live.parts]), finite=True)
            report(self._make_report(live))
        if lane.end not in (None, LaneEnd.PRUNED):
            self._report_end(report)

    def _train_folds_in_turn(self, live: LiveTrial, stopping: Callable[[], bool], note: Tell) -> None:
        """Train fold after fold to its end. Then report each epoch, joined over folds, to `note`, unless stopped."""
        lane, count, interrupted = self.lane, len(self._programs.data.folds), False
        kind = self._programs.data.folds[0].kind
        take_best = trial_objective(self._objective, lane.suggestion).take_best
        by_fold: list[dict[int, Weights]] = []  # for each trained fold: epoch -> weights
        limit, over_at = lane.plan.training.seconds or math.inf, sys.maxsize  # seconds of all folds, the fewest epochs
        # Trained by all folds until now. A diverged fold ends early, or a fold whose share of the time is over.
        epochs = min(lane.plan.epochs, lane.ends_at or sys.maxsize)

        def train(part: FitTraining) -> int:
            weights: dict[int, Weights] = {}
            keeps_every_epoch = take_best or part.can_set_weights or limit < math.inf
            keeps_every_epoch |= bool(self._programs.pooled_metrics or lane.rungs)

            def after(row: dict[str, float]) -> bool:
                nonlocal interrupted, over_at
                done = len(part.rows)
                is_over = lane.ends_at is None and part.seconds.training >= limit / count
                over_at = min(done, over_at) if is_over else over_at
                if keeps_every_epoch:
                    weights[done] = part.scored_state().trainable
                self._programs.emit(PhaseBegan(f"training {kind} {len(by_fold) + 1} of {count}, epoch {done} is done"))
                interrupted = stopping()
                return not (interrupted or is_over or has_diverged(row))

            part.train(0, epochs, after)
            if not interrupted:
                part.end(is_scored_elsewhere=take_best or has_diverged(part.rows[-1]))
                part.rows = part.rows if part.end_row is None else [*part.rows[:-1], part.end_row]
                self._check_logged(part, part.rows)
                if part.end_row is not None or not weights:
                    weights[len(part.rows)] = part.end_weights
                by_fold.append(weights)
            return len(part.rows)

        for fold in range(count):
            epochs = min(epochs, self._train_fold(live, fold, train))
            if interrupted:
                return
        lane.ends_at = lane.ends_at or (over_at if over_at == epochs else sys.maxsize)
        for epoch in range(1, epochs + 1):
            row = self._join_row([part.rows[epoch - 1] for part in live.parts], live.parts, by_fold, epoch)
            self._log(lane, row, partial(_join_weights, by_fold, epoch), finite=True)
            note(self._make_report(live))
        if lane.end is None:  # the user's code ended training early
            lane.last = _join_weights(by_fold, epochs)
        reason = next((part.scored.reason for part in live.parts if part.scored.reason), None)
        lane.scored = Scored(reason, all(part.scored.is_validation_score for part in live.parts))
        self._report_end(note)

    def _train_fold(self, live: LiveTrial, fold: int, train: Callable[[FitTraining], Trained]) -> Trained:
        """Call `train` with the training of fold number `fold`. Raises TrialFailed, whose reason names the fold."""
        try:
            return train(self._get_part(live, fold))
        except user_errors() as error:
            failure = Failure.from_error(error)
            where = f"{self._programs.data.folds[fold].kind} {fold + 1} of {len(self._programs.data.folds)}"
            raise TrialFailed(replace(failure, reason=f"{where}: {failure.reason}")) from error

    def _join_row(
        self,
        rows: Sequence[Row],
        parts: Sequence[FitTraining],
        by_fold: Sequence[Mapping[int, Weights]] = (),
        epoch: int = 0,
    ) -> dict[str, float]:
        data, spec, pooled = self._programs.data, self._programs.spec, self._programs.pooled_metrics
        pooled_names, row = {f"val_{name}" for name in pooled}, dict[str, float]()
        for name in rows[0]:
            if name not in pooled_names and all(name in by_name for by_name in rows):
                kind, whole = ("held", data.validation) if name.startswith("val_") else ("train", data.train)
                numbers = [getattr(fold, kind) for fold in data.folds]
                row[name] = float(join_scores(name, [by_name[name] for by_name in rows], numbers, whole.weights))
        if not pooled:
            return row
        if has_diverged(row):
            return row | dict.fromkeys((f"val_{name}" for name in pooled), math.nan)
        for part, weights in zip(parts, by_fold, strict=False):
            part.model.set_weights(list(weights[epoch]))
        outputs = [call_model(part.model, part.data.validation.x) for part in parts]
        together = each(lambda *by_part: join_fold_rows(by_part, data), *outputs)
        values = {name: score_all_rows(make_metric(spec, name), data.validation, together) for name in pooled}
        return row | {f"val_{name}": value for name, value in values.items()}


def _join_weights(by_fold: Sequence[Mapping[int, Weights]], epoch: int) -> TrainingState:
    return TrainingState(tuple(chain.from_iterable(weights[epoch] for weights in by_fold)))
