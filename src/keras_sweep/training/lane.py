"""A trial in training, the callbacks that watch its curve, and the final states from which later trials continue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from keras_sweep.space.sweep_spec import WATCHING, Training
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.outcome import make_curve
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Curve, Seconds, Suggestion

if TYPE_CHECKING:  # `structure` imports JAX
    from keras_sweep.training.lanes.structure import OwnModel


class Controls:
    """Keras's `EarlyStopping` and `ReduceLROnPlateau`, fed with metrics only, so they act alike in every runner."""

    def __init__(self, training: Training, learning_rate: float) -> None:
        # The callbacks use only this much of a model. The runner keeps the weights of `epoch_to_restore`.
        self._optimizer = SimpleNamespace(learning_rate=np.float32(learning_rate))
        self._model = SimpleNamespace(optimizer=self._optimizer, stop_training=False, get_weights=tuple)
        self._epochs = 0
        self._callbacks = make_control_callbacks(training)
        self._stopping: Any = self._callbacks[0] if training.early_stopping is not None else None
        for callback in self._callbacks:
            callback.set_model(self._model)
            callback.on_train_begin()

    @classmethod
    def from_training(
        cls, training: Training, learning_rate: float, rows: Iterable[Mapping[str, float]] = ()
    ) -> Controls | None:
        """Create controls, and feed them past metrics `rows`. None without `EarlyStopping` or `ReduceLROnPlateau`."""
        if not training.is_watched:
            return None
        controls = cls(training, learning_rate)
        for row in rows:
            controls.end_epoch(row)
        return controls

    def end_epoch(self, row: Mapping[str, float]) -> dict[str, float]:
        """Feed an epoch's metrics to the callbacks. Return the metrics; `ReduceLROnPlateau` adds the learning rate."""
        logs = dict(row)
        for callback in self._callbacks:
            callback.on_epoch_end(self._epochs, logs)
        self._optimizer.learning_rate = np.float32(self._optimizer.learning_rate)
        self._epochs += 1
        return logs

    @property
    def has_stopped(self) -> bool:
        return bool(self._model.stop_training)

    @property
    def learning_rate(self) -> float:
        return float(self._optimizer.learning_rate)

    @property
    def epoch_to_restore(self) -> int | None:
        """The epoch (from 1) whose weights early stopping would restore now; None if the last epoch's weights stay."""
        has_best = self._stopping is not None and self._stopping.best_weights is not None
        return self._stopping.best_epoch + 1 if has_best else None


def make_control_callbacks(training: Training) -> list[Any]:
    """Create Keras's `EarlyStopping` and `ReduceLROnPlateau`, in this order, as far as `training` configures them."""
    import keras

    sections = (getattr(training, name) for name in WATCHING)  # their classes are named as Keras's
    return [getattr(keras.callbacks, type(section).__name__)(**asdict(section)) for section in sections if section]


class LaneEnd(Enum):
    DONE = "it has trained all its epochs"
    DIVERGED = "its weights or metrics left the finite numbers"
    PRUNED = "it was stopped at a rung"
    STOPPED = "its metric no longer improved"
    TIMED = "its training reached the limit of seconds"
    FAILED = "its program raised"


class Scored(NamedTuple):
    """How to score a trial if the user's code set weights or returned a score. By default, the curve decides."""

    reason: str | None = None
    is_validation_score: bool = True
    at_end: bool = False  # whether the last row and state count, even if another epoch was better


@dataclass(eq=False)
class Lane:
    """A trial in training: fixed facts about its program, and the progress after the last trained epoch."""

    suggestion: Suggestion
    signature: Any  # what all lanes of a program have in common (`Signature`); None with `fit`
    plan: TrainingPlan
    learning_rate: float  # of the next epoch; schedules start from it
    variant: int  # index of the lane's optimizer in `signature.variants`
    per_lane: Mapping[str, float]  # optimizer argument -> value, for arguments in which lanes differ
    rungs: tuple[int, ...]
    own: OwnModel | None  # the model, if other models share its structure
    controls: Controls | None  # with `fit`, set once the model is built
    wanted: bool  # False: only trained because wanted lanes need it
    rows: list[dict[str, float]] = field(default_factory=list)  # the curve, a row per epoch
    seen: int = 0  # epochs that the loop's thread has read; `rows` may be ahead
    end: LaneEnd | None = None
    best: TrainingState | None = None  # after the best epoch so far, if the best epoch is scored
    last: TrainingState | None = None  # after the last epoch
    scored: Scored = field(default_factory=Scored)
    seconds: Seconds = field(init=False)  # until the last epoch that was trained
    ends_at: int | None = None  # for a recorded trial: the epoch at which its time was over, then and now

    def __post_init__(self) -> None:
        self.seconds = Seconds(sampler=self.suggestion.sampler_seconds)

    @property
    def number(self) -> int:
        return self.suggestion.number

    @property
    def training(self) -> bool:
        return self.end is None

    @property
    def is_open(self) -> bool:
        """Whether the lane trains, or `run` has not read its end."""
        return self.training or (self.end is not LaneEnd.FAILED and self.seen < len(self.rows))

    @property
    def is_needed(self) -> bool:
        """Whether the lane must train on: the run asked for its trial, or a later rung compares it with other lanes."""
        return self.wanted or any(rung > len(self.rows) for rung in self.rungs)

    @property
    def curve(self) -> Curve:
        return make_curve(self.rows)

    def has_place(self, epoch: int) -> bool:
        """Return whether the program still trains the lane after `epoch`.

        A diverged lane trains to its planned end. Otherwise, its removal would change the last digits of other lanes.
        """
        return self.end not in (LaneEnd.PRUNED, LaneEnd.STOPPED, LaneEnd.TIMED) and epoch < self.plan.epochs

    def can_reach(self, rung: int) -> bool:
        """Return whether a rung may compare the lane: the lane still trains, or finished at the rung or later."""
        ended = self.end in (LaneEnd.DONE, LaneEnd.STOPPED, LaneEnd.TIMED)
        return self.end is None or (ended and len(self.rows) >= rung)

    @property
    def epoch_to_restore(self) -> int | None:
        controls = self.controls or Controls.from_training(self.plan.training, self.learning_rate, self.rows)
        return None if controls is None else controls.epoch_to_restore

    def log(self, row: dict[str, float], *, finite: bool) -> None:
        """Add an epoch's metrics, and set `end` if the lane ends. `finite`: whether metrics and weights are finite."""
        end = self.end
        if not finite:
            end = LaneEnd.DIVERGED
        elif self.controls is not None:
            row = self.controls.end_epoch(row)
            self.learning_rate = self.controls.learning_rate
            end = LaneEnd.STOPPED if self.controls.has_stopped else None
        self.rows.append(row)
        if end is None and len(self.rows) == self.plan.epochs:
            end = LaneEnd.DONE
        elif end is None and (limit := self.plan.training.seconds) is not None:
            is_over = self.seconds.training >= limit if self.ends_at is None else len(self.rows) == self.ends_at
            end = LaneEnd.TIMED if is_over else None
        self.end = end  # last, so that no other thread sees an end without its row

    def copy_progress(self, source: Lane) -> None:
        """Copy all fields of `source`, a lane of the same trial, except `seen`: how many epochs `run` has read."""
        vars(self).update({name: value for name, value in vars(source).items() if name != "seen"})

    def resume_from(
        self, rows: Sequence[dict[str, float]], last: TrainingState | None, best: TrainingState | None
    ) -> None:
        """Replay past epochs with metrics `rows`. `last`, `best`: the states after the last and the best epoch."""
        self.last, self.best, self.seen = last, best, len(rows)
        self.rows, self.end = [], None
        for row in rows:
            self.log(row, finite=True)


End: TypeAlias = tuple[list[dict[str, float]], TrainingState | None, TrainingState | None]  # rows, last, best


class EndStates:
    """The final states of trials that later trials may continue: in a folder's `trial-N.npz`, or in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[int, End] = {}

    def keep_only(self, numbers: Collection[int]) -> None:
        self._memory = {number: end for number, end in self._memory.items() if number in numbers}
        file_names = {f"trial-{number}.npz" for number in numbers}
        for path in self._folder.glob("trial-[0-9]*.npz") if self._folder is not None else ():
            if path.name not in file_names:
                with suppress(OSError):  # a file that stays only takes space
                    path.unlink()

    def keep(self, lane: Lane) -> None:
        """If the lane has finished and is no finalist, keep its final state. Call this before the result is yielded."""
        has_finished = lane.end in (LaneEnd.DONE, LaneEnd.STOPPED, LaneEnd.TIMED)
        if lane.last is None or not has_finished or lane.suggestion.recipe is not None:
            return
        if self._folder is None:
            self._memory[lane.number] = (list(lane.rows), lane.last, lane.best)
        else:
            path = self._folder / f"trial-{lane.number}.npz"
            checkpoint.write(path, {"rows": lane.rows}, [lane.last, lane.best])

    def restore(self, lane: Lane) -> None:
        """If the lane continues a trial whose final state is kept, start from that state. Last digits may change."""
        number = lane.suggestion.continues
        end_state = None if number is None else self.end(number)
        if end_state is not None and len(end_state[0]) <= lane.plan.epochs:
            lane.resume_from(*end_state)

    def end(self, number: int) -> End | None:
        """Return (metrics per epoch, last state, best state) of trial `number`; None if no usable state is kept."""
        if self._folder is None:
            return self._memory.get(number)
        with suppress(checkpoint.Damaged):
            if saved := checkpoint.read(self._folder / f"trial-{number}.npz"):
                facts, (last, best) = saved
                return facts["rows"], last, best
        return None
