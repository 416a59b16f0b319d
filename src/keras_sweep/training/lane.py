"""One trial in training, what watches its curve, and where trials ended that others continue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from keras_sweep.space.sweep_spec import Training
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.outcome import make_curve
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Curve, Seconds, Suggestion

if TYPE_CHECKING:  # which needs JAX
    from keras_sweep.training.lanes.structure import OwnModel


class Controls:
    """One trial's `EarlyStopping` and `ReduceLROnPlateau`: Keras's own callbacks, told of its epochs by any runner.

    They see no model. So a lane of a program, a trial by `fit`, and one that goes on from a checkpoint stop at the same
    epoch and have the same learning rates.
    """

    def __init__(self, training: Training, learning_rate: float) -> None:
        """Before the first epoch, which trains at this rate."""
        # All that these callbacks ask of a model; whoever trains keeps the weights, by what `restored_epoch` says.
        self._optimizer = SimpleNamespace(learning_rate=_round_to_float32(learning_rate))
        self._model = SimpleNamespace(optimizer=self._optimizer, stop_training=False, get_weights=tuple)
        self._epochs = 0
        self._callbacks = make_control_callbacks(training)
        self._stopping: Any = self._callbacks[0] if training.early_stopping is not None else None
        for callback in self._callbacks:
            callback.set_model(self._model)
            callback.on_train_begin()

    @classmethod
    def of(cls, training: Training, learning_rate: float, rows: Iterable[Mapping[str, float]] = ()) -> Controls | None:
        """After epochs that brought these rows; None where nothing watches."""
        if not training.watches:
            return None
        controls = cls(training, learning_rate)
        for row in rows:
            controls.end_epoch(row)
        return controls

    def end_epoch(self, row: Mapping[str, float]) -> dict[str, float]:
        """One more epoch brought these metrics. Returns them as Keras logs them: perhaps with its learning rate."""
        logs = dict(row)
        for callback in self._callbacks:
            callback.on_epoch_end(self._epochs, logs)
        self._optimizer.learning_rate = _round_to_float32(self._optimizer.learning_rate)
        self._epochs += 1
        return logs

    @property
    def has_stopped(self) -> bool:
        stops: bool = self._model.stop_training
        return stops

    @property
    def learning_rate(self) -> float:
        """That of the next epoch."""
        rate: float = self._optimizer.learning_rate
        return rate

    @property
    def restored_epoch(self) -> int | None:
        """The epoch, counted from 1, whose weights the trial would have if it ended here; None: those of its last."""
        has_best = self._stopping is not None and self._stopping.best_weights is not None
        return self._stopping.best_epoch + 1 if has_best else None


def make_control_callbacks(training: Training) -> list[Any]:
    """Keras's own: the one that stops early, and the one that lets the rate fall, as far as there are."""
    import keras

    kinds = {"early_stopping": keras.callbacks.EarlyStopping, "reduce_lr_on_plateau": keras.callbacks.ReduceLROnPlateau}
    sections = ((kind, getattr(training, name)) for name, kind in kinds.items())
    return [kind(**asdict(section)) for kind, section in sections if section is not None]


def _round_to_float32(learning_rate: float) -> float:
    """As the variable of an optimizer holds it."""
    return float(np.float32(learning_rate))


class LaneEnd(Enum):
    """Why a lane trains no more."""

    DONE = "it has trained all its epochs"
    DIVERGED = "its weights or metrics left the finite numbers"
    PRUNED = "it was stopped at a rung"
    STOPPED = "its metric no longer improved"
    FAILED = "its program raised"


class Scored(NamedTuple):
    """How a lane is scored that has ended, if not as its curve says: by what code of the user's left, or returned."""

    reason: str | None = None
    is_validation_score: bool = True
    at_end: bool = False  # by its last row and state, whichever epoch was the best


@dataclass(eq=False)
class Lane:
    """A trial: what it trains and with which others, which never changes, and where it stands after its last epoch."""

    suggestion: Suggestion
    signature: Any  # what it has in common with others of a program, a `Signature`; of `fit` None
    plan: TrainingPlan
    learning_rate: float  # of the next epoch, from which its schedule goes on
    variant: int  # which of the signature's variants
    per_lane: Mapping[str, float]  # its values of that variant's arguments
    rungs: tuple[int, ...]
    own: OwnModel | None  # where its model shares a structure with others
    controls: Controls | None  # what watches its curve; of `fit` once its model is built
    wanted: bool  # whether its result is asked for; else it trains for the sake of others
    rows: list[dict[str, float]] = field(default_factory=list)  # the curve, an epoch a row
    seen: int = 0  # epochs the loop's thread has seen; the workers, and so `rows`, may be ahead
    end: LaneEnd | None = None
    best: TrainingState | None = None  # after the best epoch so far, where that is what counts
    last: TrainingState | None = None  # after its last epoch
    scored: Scored = field(default_factory=Scored)
    seconds: Seconds = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = Seconds(sampler=self.suggestion.sampler_seconds)

    @property
    def number(self) -> int:
        return self.suggestion.number

    @property
    def training(self) -> bool:
        return self.end is None

    @property
    def is_needed(self) -> bool:
        """Whether its result is wanted, or a rung still compares it with others."""
        return self.wanted or any(rung > len(self.rows) for rung in self.rungs)

    @property
    def curve(self) -> Curve:
        return make_curve(self.rows)

    def has_place(self, epoch: int) -> bool:
        """Whether it has a place in the program after `epoch`. One that diverged keeps its place to its planned end.

        Else the program's shape, and with it the last digits of its neighbours, would depend on how it fares.
        """
        return self.end not in (LaneEnd.PRUNED, LaneEnd.STOPPED) and epoch < self.plan.epochs

    def can_reach(self, rung: int) -> bool:
        """Whether it is to be compared there: unless it ended before, or by a fault or another rung."""
        ended = self.end in (LaneEnd.DONE, LaneEnd.STOPPED)
        return self.end is None or (ended and len(self.rows) >= rung)

    @property
    def restored_epoch(self) -> int | None:
        controls = self.controls or Controls.of(self.plan.training, self.learning_rate, self.rows)
        return None if controls is None else controls.restored_epoch

    def log(self, row: dict[str, float], *, finite: bool) -> None:
        """One more epoch brought these metrics; `finite` says whether they and the weights are finite numbers."""
        if not finite:
            self.end = LaneEnd.DIVERGED
        elif self.controls is not None:
            row = self.controls.end_epoch(row)
            self.learning_rate = self.controls.learning_rate
            self.end = LaneEnd.STOPPED if self.controls.has_stopped else None
        self.rows.append(row)
        if self.end is None and len(self.rows) == self.plan.epochs:
            self.end = LaneEnd.DONE

    def copy_progress(self, source: Lane) -> None:
        """Stand where another of the same trial stands, but for `seen`, which is the loop's."""
        vars(self).update({name: value for name, value in vars(source).items() if name != "seen"})

    def resume_from(
        self, rows: Sequence[dict[str, float]], last: TrainingState | None, best: TrainingState | None
    ) -> None:
        """Stand where these epochs led, which were trained before."""
        self.last, self.best, self.seen = last, best, len(rows)
        self.rows, self.end = [], None
        for row in rows:
            self.log(row, finite=True)


End: TypeAlias = tuple[list[dict[str, float]], TrainingState | None, TrainingState | None]  # rows, last, best of a lane


class EndStates:
    """End states by trial number: in files `trial-N.npz`, or in memory without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[int, End] = {}

    def keep_only(self, numbers: Collection[int]) -> None:
        self._memory = {number: kept for number, kept in self._memory.items() if number in numbers}
        kept = {f"trial-{number}.npz" for number in numbers}
        for path in self._folder.glob("trial-[0-9]*.npz") if self._folder is not None else ():
            if path.name not in kept:
                with suppress(OSError):  # what stays costs room, and nothing else
                    path.unlink()

    def keep(self, lane: Lane) -> None:
        """Keep where a trial ended, before its result is known to anyone. One that failed or was pruned is not kept.

        Neither is a finalist: no trial continues it.
        """
        ended = lane.end in (LaneEnd.DONE, LaneEnd.STOPPED)
        if lane.last is None or not ended or lane.suggestion.recipe is not None:
            return
        if self._folder is None:
            self._memory[lane.number] = (list(lane.rows), lane.last, lane.best)
        else:
            path = self._folder / f"trial-{lane.number}.npz"
            checkpoint.write(path, {"rows": lane.rows}, [lane.last, lane.best])

    def restore(self, lane: Lane) -> None:
        """Put the lane where the trial ended that it continues; at its start if nothing usable is kept of that one.

        Trained from there its numbers are the same but for their last digits.
        """
        number = lane.suggestion.continues
        end_state = None if number is None else self.end(number)
        if end_state is not None and len(end_state[0]) <= lane.plan.epochs:
            lane.resume_from(*end_state)

    def end(self, number: int) -> End | None:
        """Where a trial ended, if a usable end of it is kept."""
        if self._folder is None:
            return self._memory.get(number)
        with suppress(checkpoint.Damaged):
            if kept := checkpoint.read(self._folder / f"trial-{number}.npz"):
                facts, (last, best) = kept
                return facts["rows"], last, best
        return None
