"""Which rows each fold trains on and which it leaves out, so that every row is scored by a model that never saw it."""

from __future__ import annotations

import warnings

import numpy as np

from keras_sweep.data.array_checks import of_32_bits
from keras_sweep.data.search_data import Fold, Rows
from keras_sweep.data.source import Parts
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import Split


def left_out(y: np.ndarray[tuple[int, ...], np.dtype[np.generic]], how: Split, *, classes: bool) -> list[Fold]:
    """The folds of rows with these labels: scikit-learn's, shuffled by the split's seed, classes in equal shares.

    Raises DataError where the rows are too few.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    labels = y.reshape(-1) if y.ndim == 1 or y.shape[1] == 1 else y.argmax(axis=1) if classes else y[:, 0]
    kind = StratifiedKFold if classes else KFold
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # a fold may lack a rare class
            cut = list(kind(how.folds, shuffle=True, random_state=how.seed).split(labels, labels.astype(str)))
    except ValueError as error:
        raise DataError(
            f"{len(labels):,} rows can't be cut into {how.folds} folds: {error}",
            hint="Give fewer with `split: {folds: 2}`, or bring more rows",
        ) from error
    return [Fold(train.astype(np.int32), held.astype(np.int32)) for train, held in cut]


def with_own_columns(parts: Parts, rows: Rows, name: str) -> tuple[Fold, ...]:
    """The folds of a table, each with all of its rows in columns that are fitted on the fold's training rows alone."""
    encoded = []
    for fold in parts.folds:
        preprocessing, _ = TablePreprocessing.fit(parts.train.take(fold.train).x, name)  # type: ignore[arg-type]
        x = np.ascontiguousarray(of_32_bits(preprocessing.transform(parts.train.x)))
        encoded.append(Fold(fold.train, fold.held, Rows(x, rows.y)))
    return tuple(encoded)
