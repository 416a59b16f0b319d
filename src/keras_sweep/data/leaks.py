"""Leaks: what makes scores better than they are on new rows, looked for while test rows are at hand; told by counts."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, leaves
from keras_sweep.data.source import Features, Parts, RawRows
from keras_sweep.space.text import itemize, yaml_list

LEAST_ROWS, LEAST_SHARE = 3, 0.015  # of held-out rows that have a training row alike: fewer hardly move a score
SAMPLE, MOST_NUMBERS = 1_000, 2_000_000  # training rows, and numbers in them, by which columns are looked at
LEAST_APART, TELLS_ALL = 20, 0.95  # of them: neighbours apart by chance; the measure of a rule right in 99 of 100


def find_leaks(parts: Parts, classes: bool) -> tuple[str, ...]:
    """A line for each leak, which warns and is no fault; `classes` says whether labels are some, and not numbers."""
    return (*_find_copies(parts), *_find_cut_groups(parts), *_find_telling_columns(parts.train, classes))


def _iter_parts(parts: Parts, of: Callable[..., Array]) -> Iterator[tuple[str, Any, Any]]:
    """Which rows are held out (in each fold, or for validation, or as test rows), what is `of` them, and of others."""
    train = of(parts.train)
    for fold in parts.folds:
        yield "", train[fold.held], train[fold.train]
    if not parts.folds:
        yield "validation ", of(parts.validation), train
    if parts.test is not None:
        yield "test ", of(parts.test), train


def _find_copies(parts: Parts) -> Iterator[str]:
    counts: dict[str, Any] = {}
    # Of each row two numbers, which are the same for the same features, and for the same features and label.
    for which, held, train in _iter_parts(
        parts, lambda rows: np.stack([x := _hash_rows(rows.x), x * 31 + _hash_rows(rows.y)], 1)
    ):
        alike, same = np.isin(held[:, 0], train[:, 0]), np.isin(held[:, 1], train[:, 1])
        counts[which] = counts.get(which, 0) + np.array([len(held), alike.sum(), (alike & ~same).sum()])
    found = [
        f"{alike:,} of {rows:,} {which}rows{f' ({other:,} with another label)' if other else ''}"
        for which, (rows, alike, other) in counts.items()
    ]
    rows, alike, _ = sum(counts.values())
    if alike >= max(LEAST_ROWS, LEAST_SHARE * rows):
        yield f"{' and '.join(found)} equal a training row in all features, which flatters scores: take copies out"


def _hash_rows(rows: Features) -> npt.NDArray[np.int64]:
    if isinstance(rows, dict | tuple):
        return reduce(lambda total, one: total * 31 + one, map(_hash_rows, leaves(rows)))
    if not isinstance(rows, np.ndarray):
        return rows.hash_rows().to_numpy().view(np.int64)
    if rows.dtype.kind == "O" or not rows.size:
        return np.array([hash(str(row)) for row in rows.tolist()])
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1))
    wholes = flat.view(f"V{flat.itemsize * flat.shape[1]}").ravel()  # each row as one value: its bytes
    return np.array([hash(row) for part in np.array_split(wholes, 1 + len(rows) // 10_000) for row in part.tolist()])


def _find_cut_groups(parts: Parts) -> Iterator[str]:
    for name in parts.train.places if parts.source.rows is not None else ():  # else each part has places of its own
        both = [
            np.intersect1d(held, train) for _, held, train in _iter_parts(parts, lambda rows, of=name: rows.places[of])
        ]
        if cut := len(np.unique(np.concatenate(both))):
            groups = yaml_list([name])[1:-1]
            mend = f"if their rows are alike, `split: {{groups: {groups}}}` gives the score of new groups"
            yield f"column {name!r} seems to name groups, {cut:,} of which the split cuts: {mend}"


def _find_telling_columns(train: RawRows, classes: bool) -> Iterator[str]:
    """A line for columns each of which gives the label: 1 less the mean distance of labels of neighbours by its value,
    over that of any two rows, is near 1. With distances of ranks, of numbers, it is Chatterjee's xi (2021)."""
    if isinstance(train.x, dict | tuple) or not isinstance(train.y, np.ndarray):
        return
    x, y = train.x, train.y.reshape(-1)
    if len(y) != len(train) or len(x.shape) != 2 or x.shape[1] < 2:
        return
    rows = np.random.default_rng(0).permutation(len(y))[: min(SAMPLE, MOST_NUMBERS // x.shape[1])]
    x, names = x[rows], getattr(x, "columns", range(x.shape[1]))
    x = x if isinstance(x, np.ndarray) else np.stack([one.rank("dense").to_numpy() for one in x.get_columns()], axis=1)
    ranks = np.unique(y[rows], return_inverse=True)[1]
    distance: Any = np.not_equal if classes else lambda one, other: np.abs(one - other)
    any_two = distance(ranks[:, None], ranks).mean()
    ordered = ranks[x.argsort(axis=0, kind="stable")]
    # The steps of labels in order are the least that there can be, which tell nothing against a column.
    near = (distance(ordered[1:], ordered[:-1]).sum(axis=0) - ranks.max()) / len(rows) < (1 - TELLS_ALL) * any_two
    telling = [name for name, of_label in zip(names, near, strict=True) if of_label]
    if telling and any_two * len(rows) >= LEAST_APART:
        mend = f": `drop: {yaml_list(telling)}` in `data`" if isinstance(telling[0], str) else ""
        yield f"column {itemize(telling)} alone gives nearly every label: unless it is known before, leave it out{mend}"
