"""Which rows are held out: those of scikit-learn's `train_test_split`, mostly without its slow import."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.errors import DataError

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
            hint="Both must be at least 1: change `data.split` or bring more rows",
        )
    permutation = np.random.RandomState(seed).permutation(n)
    return permutation[held:], permutation[:held]


def held_out_by_class(labels: npt.NDArray[np.generic], share: float, seed: int) -> tuple[Indices, Indices]:
    """(kept, held out) row numbers with each class's share kept, as `train_test_split(..., stratify=labels)`."""
    from sklearn.model_selection import train_test_split

    try:
        kept, held = train_test_split(np.arange(len(labels)), test_size=share, random_state=seed, stratify=labels)
    except ValueError as error:
        raise DataError(
            f"the rows can't be split with `stratify: true` ({error})",
            hint="Bring more rows of the rare classes, or set `data.split.stratify: false`",
        ) from error
    return kept, held
