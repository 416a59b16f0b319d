"""Find leaks, which make scores better than on new rows. Test rows are compared here, so only counts are returned."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, leaves
from keras_sweep.data.source import Features, Parts, RawRows
from keras_sweep.space.text import format_yaml_list, itemize

LEAST_ROWS, LEAST_SHARE = 3, 0.015  # of held-out rows that equal a training row: fewer hardly change a score
SAMPLE, MOST_NUMBERS = 1_000, 2_000_000  # check columns on at most this many training rows, and numbers
LEAST_APART, TELLS_ALL = 20, 0.95  # neighbours that differ by chance; the measure of a rule that is 99 % right


def find_leaks(parts: Parts, classes: bool) -> tuple[str, ...]:
    """Return a notice for each leak: copied rows, groups that the split cuts, and single columns that predict labels.
    `classes` says whether labels are classes rather than numbers."""
    return (*_find_copies(parts), *_find_cut_groups(parts), *_find_telling_columns(parts.train, classes))


def _pair(parts: Parts, extract: Callable[..., Array]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, held-out values, training values) for each fold or the validation rows, then for any test rows. The
    name is "" for a fold, "validation " or "test ". `extract` maps `RawRows` to values to compare, [N, ...]."""
    train = extract(parts.train)
    for fold in parts.folds:
        yield "", train[fold.held], train[fold.train]
    if not parts.folds:
        yield "validation ", extract(parts.validation), train
    if parts.test is not None:
        yield "test ", extract(parts.test), train


def _find_copies(parts: Parts) -> Iterator[str]:
    counts: dict[str, Any] = {}
    # Each row has two hashes: of its features, and of its features and label.
    for part, held, train in _pair(parts, lambda rows: np.stack([x := _hash(rows.x), x * 31 + _hash(rows.y)], 1)):
        alike, exact = np.isin(held[:, 0], train[:, 0]), np.isin(held[:, 1], train[:, 1])
        counts[part] = counts.get(part, 0) + np.array([len(held), alike.sum(), (alike & ~exact).sum()])
    shares = [
        f"{alike:,} of {rows:,} {part}rows{f' ({relabelled:,} with another label)' if relabelled else ''}"
        for part, (rows, alike, relabelled) in counts.items()
    ]
    rows, alike, _ = sum(counts.values())
    if alike >= max(LEAST_ROWS, LEAST_SHARE * rows):
        yield f"{' and '.join(shares)} equal a training row in all features, so scores are too good: remove the copies"


def _hash(rows: Features) -> npt.NDArray[np.int64]:
    if isinstance(rows, dict | tuple):
        return reduce(lambda sums, hashes: sums * 31 + hashes, map(_hash, leaves(rows)))
    if not isinstance(rows, np.ndarray):
        return rows.hash_rows().to_numpy().view(np.int64)
    if rows.dtype.kind == "O" or not rows.size:
        return np.array([hash(str(row)) for row in rows.tolist()])
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1))
    row_bytes = flat.view(f"V{flat.itemsize * flat.shape[1]}").ravel()  # [N], each row as its bytes
    return np.array([hash(row) for part in np.array_split(row_bytes, 1 + len(rows) // 10_000) for row in part.tolist()])


def _find_cut_groups(parts: Parts) -> Iterator[str]:
    for name in parts.train.places if parts.source.rows is not None else ():  # ranks of separate parts do not compare
        ids = [np.intersect1d(held, train) for _, held, train in _pair(parts, lambda rows, key=name: rows.places[key])]
        if cut := len(np.unique(np.concatenate(ids))):
            groups = format_yaml_list([name])[1:-1]
            fix = f"if rows of a group are alike, use `split: {{groups: {groups}}}`"
            yield f"column {name!r} seems to name groups, and the split cuts {cut:,} of them: {fix}"


def _find_telling_columns(train: RawRows, classes: bool) -> Iterator[str]:
    """Yield a notice if a single column predicts the label. Rows are sorted by the column: if neighbours then have like
    labels, 1 - (mean distance of neighbours) / (mean distance of any two rows) is near 1. Classes have distance 0 or 1,
    numbers the distance of their ranks: then this is Chatterjee's xi (A new coefficient of correlation, 2021)."""
    if isinstance(train.x, dict | tuple) or not isinstance(train.y, np.ndarray):
        return
    x, y = train.x, train.y.reshape(-1)
    if len(y) != len(train) or len(x.shape) != 2 or x.shape[1] < 2:
        return
    import polars as pl

    rows = np.random.default_rng(0).permutation(len(y))[: min(SAMPLE, MOST_NUMBERS // x.shape[1])]
    x, names = x[rows], getattr(x, "columns", range(x.shape[1]))
    x = x if isinstance(x, np.ndarray) else x.select(pl.all().rank("dense")).to_numpy()
    ranks = np.unique(y[rows], return_inverse=True)[1]
    distance: Any = np.not_equal if classes else lambda a, b: np.abs(a - b)
    typical = distance(ranks[:, None], ranks).mean()
    ordered = ranks[x.argsort(axis=0, kind="stable")]
    # Sorted labels have the smallest possible sum of steps. This sum does not count against a column.
    near = (distance(ordered[1:], ordered[:-1]).sum(axis=0) - ranks.max()) / len(rows) < (1 - TELLS_ALL) * typical
    telling = [name for name, is_telling in zip(names, near, strict=True) if is_telling]
    if telling and typical * len(rows) >= LEAST_APART:
        fix = f"use `drop: {format_yaml_list(telling)}`" if isinstance(telling[0], str) else "leave it out"
        yield f"column {itemize(telling)} alone predicts nearly every label: {fix} unless you know it before the label"
