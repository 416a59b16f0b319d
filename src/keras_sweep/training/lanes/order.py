"""The order in which `fit` visits the training rows, epoch by epoch."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class DataOrder:
    """Row indices of any epoch, as `keras.Model.fit` draws them on the JAX backend.

    `fit` takes each epoch's order from NumPy's global generator, and draws one permutation that it throws away before
    the first epoch, because its symbolic build opens the iterator once.
    """

    def __init__(self, state: Any, rows: int) -> None:
        """Begin at a state of the global generator (`numpy.random.get_state()`), as it is when `fit` is called."""
        self.rows = rows  # how many, N
        self._random = np.random.RandomState()
        self._random.set_state(state)
        self._random.permutation(rows)
        self._states = [self._random.get_state()]  # [e] is the state before epoch e, 2.5 kB each
        self._latest: tuple[int, npt.NDArray[np.int32]] | None = None
        self._lock = threading.Lock()

    def epoch(self, index: int) -> npt.NDArray[np.int32]:
        """[N] row indices of epoch `index`, counted from 0. May be called from several threads."""
        with self._lock:
            if self._latest is not None and self._latest[0] == index:
                return self._latest[1]
            self._random.set_state(self._states[min(index, len(self._states) - 1)])
            for epoch in range(min(index, len(self._states) - 1), index + 1):
                order = self._random.permutation(self.rows).astype(np.int32)
                if epoch + 1 == len(self._states):
                    self._states.append(self._random.get_state())
            self._latest = (index, order)
            return order
