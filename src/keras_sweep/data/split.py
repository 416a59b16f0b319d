"""Which rows are held out: those of scikit-learn's `train_test_split`, mostly without its slow import."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.folds import left_out
from keras_sweep.data.source import Parts, RawRows, Source
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import Split

Indices: TypeAlias = npt.NDArray[np.intp]


def held_out(n: int, share: float, seed: int) -> tuple[Indices, Indices]:
    """(kept, held out) row numbers, in the order of `train_test_split(range(n), test_size=share, random_state=seed)`.

    scikit-learn's ShuffleSplit takes ceil(share * n) rows off the front of one permutation, the rest are kept. Its
    import takes most of a second, which this does not.
    """
    held = math.ceil(share * n)
    if held < 1 or held >= n:
        raise DataError(
            f"a share of {share} of {n} rows leaves {max(n - held, 0)} rows to train on and {held} held out",
            hint="Both must be at least 1: change `split`, or bring more rows",
        )
    permutation = np.random.RandomState(seed).permutation(n)
    return permutation[held:], permutation[:held]


def held_out_by_class(labels: npt.NDArray[np.generic], share: float, seed: int) -> tuple[Indices, Indices]:
    """(kept, held out) row numbers with each class's share kept, as `train_test_split(..., stratify=labels)`."""
    from sklearn.model_selection import train_test_split

    try:
        kept, held = train_test_split(np.arange(len(labels)), test_size=share, random_state=seed, stratify=labels)
    except ValueError as error:
        names, counts = np.unique(labels.astype(str), return_counts=True)
        rare = [str(name) for name in names[counts < 2]]
        why = f"class {rare[0]!r} has one row" if rare else str(error)
        raise DataError(
            f"the rows can't be split with `stratify: true`: {why}",
            hint="Bring more rows of each rare class, or give `split: {stratify: false}`",
        ) from error
    return kept, held


def split(source: Source, how: Split, *, classes: bool) -> Parts:
    """Hold out test rows first, then validation rows of what is left; parts that the source brings stay as they are.

    Args:
        classes: whether labels are classes; `stratify` is for these alone.
    """
    train, test = source.train, source.test
    if train is None:
        assert source.rows is not None, source.name
        train = source.rows
        if test is None and how.test:
            train, test = _apart(train, how.test, how, classes)
    validation = source.validation
    if how.folds:
        if validation is not None:
            raise DataError(
                f"{source.name} brings its own validation rows, so it can't be cut into folds",
                hint="Leave out `split: {folds: ...}`, or bring training and validation rows as one",
            )
        return Parts(train, train, test, tuple(left_out(train.y, how, classes=classes)))
    if validation is None:
        train, validation = _apart(train, how.validation, how, classes)
    return Parts(train, validation, test)


def _apart(rows: RawRows, share: float, how: Split, classes: bool) -> tuple[RawRows, RawRows]:
    if how.stratify and not classes:
        raise DataError("`stratify: true` needs classes, but the labels are numbers", hint="Set it to false")
    labels = rows.y if rows.y.ndim == 1 or rows.y.shape[1] == 1 else rows.y.argmax(axis=1)
    kept, held = (
        held_out_by_class(labels.reshape(-1), share, how.seed) if how.stratify else held_out(len(rows), share, how.seed)
    )
    return rows.take(kept), rows.take(held)
