"""Find leaks, which make scores better than on new rows. Test rows are compared here, so only counts are returned."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, leaves
from keras_sweep.data.source import Features, Parts, RawRows
from keras_sweep.space.text import format_yaml_list, itemize

LEAST_ROWS, LEAST_SHARE = 3, 0.015  # of held-out rows that equal a training row: fewer hardly change a score
SAMPLE, MOST_NUMBERS = 1_000, 2_000_000  # check columns on at most this many training rows, and numbers
ODD = np.uint64(0x9E3779B97F4A7C15)  # multiplies a hash before another hash is added to it
HALF, BLOCK = np.uint64(32), 1 << 20  # bits of half a hash; bytes of rows that are hashed at once
Hashes: TypeAlias = npt.NDArray[np.uint64]  # [N], a hash for each row
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
    # Each row has a hash of its features, and a hash of its features and label.
    for part, held, train in _pair(parts, lambda rows: np.stack((x := _hash(rows.x), x * ODD + _hash(rows.y)), axis=1)):
        alike = _are_in(held[:, 0], train[:, 0])
        relabelled = ~_are_in(held[alike, 1], train[:, 1])
        counts[part] = counts.get(part, 0) + np.array([len(alike), alike.sum(), relabelled.sum()])
    shares = [
        f"{alike:,} of {rows:,} {part}rows{f' ({relabelled:,} with another label)' if relabelled else ''}"
        for part, (rows, alike, relabelled) in counts.items()
    ]
    rows, alike, _ = sum(counts.values())
    if alike >= max(LEAST_ROWS, LEAST_SHARE * rows):
        yield f"{' and '.join(shares)} equal a training row in all features, so scores are too good: remove the copies"


def _are_in(held: Hashes, train: Hashes) -> npt.NDArray[np.bool_]:
    """Return whether each hash in `held` is in `train`. This is several times faster than `np.isin`."""
    train = np.sort(train)
    return np.asarray(train[np.searchsorted(train, held).clip(max=len(train) - 1)] == held)


def _hash(rows: Features) -> Hashes:
    if isinstance(rows, dict | tuple):
        return reduce(lambda sums, hashes: sums * ODD + hashes, map(_hash, leaves(rows)))
    if not isinstance(rows, np.ndarray):
        return rows.hash_rows().to_numpy()
    if rows.dtype.kind == "O":  # texts
        return np.fromiter((hash(str(row)) for row in rows.tolist()), np.int64, len(rows)).view(np.uint64)
    parts = np.array_split(rows, 1 + rows.nbytes // BLOCK)
    return np.concatenate([_hash_bytes(part.reshape(len(part), -1)) for part in parts])


def _hash_bytes(rows: Array) -> Hashes:
    """Hash rows as sums of their words of 32 bits, times random numbers of 64 bits. The high halves of two such sums
    make a hash, which two different rows share with a chance of at most 2 ** -60 (Lemire and Kaser, Strongly universal
    string hashing is fast, 2014)."""
    count = rows.shape[1] * rows.itemsize
    padded = np.zeros((len(rows), -(-count // 4) * 4), np.uint8)
    padded[:, :count] = np.ascontiguousarray(rows).view(np.uint8)
    factors = np.random.default_rng(0).integers(0, 1 << 64, (padded.shape[1] // 4, 2), np.uint64)
    first, second = (padded.view(np.uint32) @ factors).T
    return np.asarray((first >> HALF << HALF) | (second >> HALF))


def _find_cut_groups(parts: Parts) -> Iterator[str]:
    for name in parts.train.places if parts.source.train is None else ():  # ranks of separate parts do not compare
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
    rows = np.random.default_rng(0).permutation(len(y))[: min(SAMPLE, MOST_NUMBERS // x.shape[1])]
    x, names = x[rows], getattr(x, "columns", range(x.shape[1]))
    if not isinstance(x, np.ndarray):
        import polars as pl

        x = x.select(pl.all().rank("dense")).to_numpy()
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
