"""A logged metric of a trained model: its score of each validation row, and its standard error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, Arrays, leaves, ravel_column
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.honest.standard_error import standard_error
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.losses import MEAN, find_reduction, make_row_function
from keras_sweep.training.row_values import (
    ACCURACIES,
    CLOSE,
    LEAST_MISMATCH,
    TOP_K,
    PerRow,
    is_row_by_row,
    row_values,
)
from keras_sweep.trial.row_scores import OF_ALL_ROWS, RowScores, from_outputs, from_values
from keras_sweep.trial.units import Units


@dataclass(frozen=True)
class LoggedMetric:
    """A logged value of a metric, with the inputs to compute the metric for each row."""

    metric: str  # "val_accuracy"
    loss: str  # the loss's name
    value: float
    rows: Rows
    predict: Callable[[], Arrays]  # outputs on `rows`
    row_function: PerRow = None  # from `make_row_function`
    reduction: str = MEAN  # of the loss
    batches: Callable[[], Array | None] = lambda: None  # [N] the number of each row's batch; None: all in a batch
    mask: Callable[[], Array | None] = lambda: None  # [N, ...] which labels count; None: all
    # [N] losses that layers add for each row; None: no layer does
    added: Callable[[], npt.NDArray[np.float64] | None] = lambda: None
    right: Array | None = None  # [N] whether each row was predicted correctly, if the runner knows
    is_known: bool = True  # whether the metric is of a single output, by a formula of each row or of all rows

    @classmethod
    def from_spec(
        cls,
        spec: SweepSpec,
        arguments: Mapping[str, Value],  # of the loss
        metric: str,
        value: float,
        rows: Rows,
        predict: Callable[[], Arrays],
        **more: Any,
    ) -> LoggedMetric:
        """Build the metric that a `spec` logs. For "val_price_mae" this is "val_mae" of the output "price".

        `is_known` is false if the metric combines several outputs, or is Keras's with arguments.
        """
        if (place := spec.find_output(metric)) is not None:
            name, metric = place
            whole, outputs = spec, predict
            spec, rows = spec.output(name), replace(rows, y=spec.part(rows.y, name))
            arguments, predict = spec.loss_arguments, lambda: whole.part(outputs(), name)
            if (masks := more.get("mask")) is not None:
                more["mask"] = lambda: None if (found := masks()) is None else whole.part(found, name)
        has_arguments = "python" not in spec.metric_arguments.get(metric.removeprefix("val_"), ("python",))
        if spec.outputs or has_arguments:
            return cls(metric, spec.loss, value, rows, predict, is_known=False)
        function, reduction = make_row_function(spec, metric, arguments), MEAN
        if metric.removeprefix("val_") == "loss" and "loss" not in spec.own:
            reduction = find_reduction(spec, arguments)
        return cls(metric, spec.loss, value, rows, predict, function, reduction, **more)

    @cached_property
    def units(self) -> Units:
        return self.rows.units or Units.from_rows(len(self.rows))

    @property
    def has_right_rows(self) -> bool:
        """Whether `right` gives the value. With weights, rows count differently."""
        if self.right is None or self.rows.weights is not None:
            return False
        return abs(float(self.right.astype(np.float64).mean()) - self.value) * len(self.right) < 0.5

    @cached_property
    def _values(self) -> npt.NDArray[np.float64] | None:
        """What each row contributes, [N], without what the model's layers add to the loss; None without a formula."""
        if self.right is not None and self.has_right_rows:
            return self.right.astype(np.float64)
        if not self.is_known or not (self.row_function or is_row_by_row(self.metric, self.loss)):
            return None
        return row_values(
            self.metric,
            self.loss,
            self.rows,
            self.predict,
            self.row_function,
            reduction=self.reduction,
            batches=self.batches(),
            mask=self.mask(),
        )

    @cached_property
    def _scores(self) -> npt.NDArray[np.float64] | None:
        """What each row contributes, [N]; None without a formula, or if the mean contradicts the logged value."""
        if (values := self._values) is None:
            return None
        rest = self.value - float(values.mean())
        if self._is_close(rest):
            return values
        if self.metric.removeprefix("val_") != "loss":
            return None
        # The rest is a penalty on weights, equal for all rows, or losses that layers add for each row or batch.
        if (added := self.added()) is None:
            return values + rest if rest > 0 else None
        batches = self.batches()
        for addition in (added, added if batches is None else added * np.bincount(batches)[batches]):
            if self._is_close(rest - float(addition.mean())):
                return np.asarray(values + addition)
        return None

    def _is_close(self, rest: float) -> bool:
        return abs(rest) <= CLOSE * max(abs(self.value), CLOSE)

    def row_scores(self) -> tuple[RowScores | None, float | None]:
        """Return (row scores, None), or (None, mean of the row values) if the mean contradicts the logged value.

        Returns (None, None) without row values, or if rounding, ties or a user's function may explain that mean and
        value differ. Scores of AUC hold outputs and labels.
        """
        if not self.is_known and not self.has_right_rows:
            return None, None
        if self._name in OF_ALL_ROWS:
            if self.mask() is not None:
                return None, None
            outputs, y = self.predict(), ravel_column(self.rows.y)
            return from_outputs(outputs, y, *self.rows.arrays[2:], units=self.rows.units), None
        if (scores := self._scores) is not None:
            return from_values(scores, self.rows.units), None
        if (values := self._values) is None:
            return None, None
        return None, float(values.mean()) if self.row_function is None and self._is_mismatch(values) else None

    def _is_mismatch(self, values: npt.NDArray[np.float64]) -> bool:
        mean = float(values.mean())
        return abs(self.value - mean) > LEAST_MISMATCH * max(abs(mean), abs(self.value))

    def standard_error(self) -> float | None:
        """Return the standard error of the value over the units of the rows; None if it is unknown."""
        if not self.is_known or not len(self.rows):
            return None
        is_share = self._name in ACCURACIES | TOP_K
        if is_share and self._has_a_label_per_row:  # the number of right rows is enough
            right = np.arange(len(self.rows)) < round(self.value * len(self.rows))
            return standard_error(right.astype(np.float64), self.units, share=True)
        values = self._scores
        if values is None and self.row_function is None and self._values is not None:
            values = None if self._is_mismatch(self._values) else self._values  # rounding, or ties between classes
        if values is None:
            return None
        is_share = is_share or (self.row_function is not None and bool(np.isin(values, (0, 1)).all()))
        return standard_error(values, self.units, share=is_share, weights=self.rows.weights)

    @property
    def _name(self) -> str:
        name = self.metric.removeprefix("val_")
        return self.loss if name == "loss" else name

    @property
    def _has_a_label_per_row(self) -> bool:
        """Whether rows are right or wrong, count alike, and are drawn independently."""
        y = leaves(self.rows.y)
        are_alike = self.rows.weights is None and self.rows.units is None
        return are_alike and len(y) == 1 and y[0].size == len(self.rows) and y[0].dtype.kind != "O"


def number_batches(data: SearchData, batch_size: int) -> Array:
    """Return the number of the batch in which each validation row is scored, [N]. With folds, each fold has its own."""
    parts: list[Array] = [fold.held for fold in data.folds] or [np.arange(len(data.validation))]
    numbers, first = np.empty(sum(map(len, parts)), np.intp), 0
    for held in parts:
        numbers[held] = first + np.arange(len(held)) // batch_size
        first += -(-len(held) // batch_size)
    return numbers
