"""What watches a trial's curve while it trains: Keras's own callbacks, told of its epochs by any runner.

They see no model. So a lane of a program, a trial by `fit`, and one that goes on from a checkpoint stop at the same
epoch and have the same learning rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np

from keras_sweep.space.sweep_spec import Training


class Controls:
    """One trial's `EarlyStopping` and `ReduceLROnPlateau`."""

    def __init__(self, training: Training, learning_rate: float) -> None:
        """Before the first epoch, which trains at this rate."""
        # All that these callbacks ask of a model; whoever trains keeps the weights, by what `restored` says.
        self._optimizer = SimpleNamespace(learning_rate=_rounded(learning_rate))
        self._model = SimpleNamespace(optimizer=self._optimizer, stop_training=False, get_weights=tuple)
        self._epochs = 0
        self._callbacks = watching_callbacks(training)
        self._stopping: Any = self._callbacks[0] if training.early_stopping is not None else None
        for each in self._callbacks:
            each.set_model(self._model)
            each.on_train_begin()

    @classmethod
    def of(cls, training: Training, learning_rate: float, rows: Iterable[Mapping[str, float]] = ()) -> Controls | None:
        """After epochs that brought these rows; None where nothing watches."""
        if not training.watches:
            return None
        controls = cls(training, learning_rate)
        for row in rows:
            controls.after(row)
        return controls

    def after(self, row: Mapping[str, float]) -> dict[str, float]:
        """One more epoch brought these metrics. Returns them as Keras logs them: perhaps with its learning rate."""
        logs = dict(row)
        for each in self._callbacks:
            each.on_epoch_end(self._epochs, logs)
        self._optimizer.learning_rate = _rounded(self._optimizer.learning_rate)
        self._epochs += 1
        return logs

    @property
    def stops(self) -> bool:
        """Whether training ends here."""
        stops: bool = self._model.stop_training
        return stops

    @property
    def learning_rate(self) -> float:
        """That of the next epoch."""
        rate: float = self._optimizer.learning_rate
        return rate

    @property
    def restored(self) -> int | None:
        """The epoch, counted from 1, whose weights the trial would have if it ended here; None: those of its last."""
        found = self._stopping is not None and self._stopping.best_weights is not None
        return self._stopping.best_epoch + 1 if found else None


def watching_callbacks(training: Training) -> list[Any]:
    """Keras's own: the one that stops early, and the one that lets the rate fall, as far as there are."""
    import keras

    kinds = {"early_stopping": keras.callbacks.EarlyStopping, "reduce_lr_on_plateau": keras.callbacks.ReduceLROnPlateau}
    sections = ((kind, getattr(training, name)) for name, kind in kinds.items())
    return [kind(**asdict(section)) for kind, section in sections if section is not None]


def _rounded(learning_rate: float) -> float:
    """As the variable of an optimizer holds it."""
    return float(np.float32(learning_rate))
