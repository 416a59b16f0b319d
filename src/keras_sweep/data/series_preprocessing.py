"""A series' preprocessing, once in NumPy for training and once inside the exported model, which takes raw windows."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_sweep.data.table_columns import NumberColumn
from keras_sweep.data.table_preprocessing import Numbers


@dataclass(frozen=True)
class SeriesPreprocessing:
    """Every column standardised, at each step of a window."""

    columns: tuple[NumberColumn, ...]
    window: int
    dropped: ClassVar[tuple[str, ...]] = ()

    def inputs(self, raw: Any) -> Numbers:
        """Raw windows, [N, window, columns], as the exported model takes them."""
        return np.array(raw, np.float32)

    def transform(self, raw: Any) -> Numbers:
        """Raw windows as `wrap` scales them."""
        mean, factor = self._scale
        return (np.asarray(raw, np.float32) - mean) * factor

    def wrap(self, model: Any) -> Any:
        """A `keras.Model` from raw windows to the output of `model`."""
        import keras

        mean, factor = self._scale
        inputs = keras.Input((self.window, len(self.columns)), dtype="float32", name="windows")
        scaled = keras.ops.multiply(keras.ops.subtract(inputs, mean), factor)
        return keras.Model(inputs, model(scaled), name=f"{model.name}_on_raw_rows")

    @property
    def _scale(self) -> tuple[Numbers, Numbers]:
        of_each = [(column.mean, 1 / column.deviation) for column in self.columns]
        mean, factor = np.array(of_each, np.float32).T
        return mean, factor


def fit_series(x: Any, columns: tuple[str, ...]) -> SeriesPreprocessing:
    """Mean and deviation of each column over training windows, [N, window, columns]."""
    mean, deviation = x.mean(axis=(0, 1), dtype=np.float64), x.std(axis=(0, 1), dtype=np.float64)
    known = zip(columns, mean.tolist(), deviation.tolist(), strict=True)
    scaled = tuple(NumberColumn(name, mean=middle, deviation=spread or 1.0) for name, middle, spread in known)
    return SeriesPreprocessing(scaled, x.shape[1])
