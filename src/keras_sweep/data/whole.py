"""Training and validation rows together, for a model that is trained on all of them once the search is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from keras_sweep.data.encoding import fit_encoding, read_parts
from keras_sweep.data.fingerprint import fingerprint
from keras_sweep.data.number_table import polars_table
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.source import Parts, RawRows, Source
from keras_sweep.space.sweep_spec import SweepSpec


def whole(spec: SweepSpec, data: SearchData) -> SearchData:
    """The training rows, then the validation rows: each both trained on and, for what that says, scored.

    The columns of a table are encoded by all of these rows. Raises DataError.
    """
    if data.folds:
        return replace(data, folds=(), fingerprint=f"{data.fingerprint} without folds")
    if data.preprocessing is None:
        both = (data.train, data.validation)
        rows, preprocessing = Rows(*(np.concatenate(arrays) for arrays in zip(*_arrays(both), strict=True))), None
    else:
        source, raw = _raw(spec)
        encoding = fit_encoding(spec, source, Parts(raw, raw, None))
        rows, preprocessing = encoding.rows(raw, "training"), encoding.preprocessing
    return replace(data, train=rows, validation=rows, preprocessing=preprocessing, fingerprint=fingerprint(rows))


def raw_whole(spec: SweepSpec, data: SearchData) -> Any:
    """x of the rows of `whole` as the exported model takes them: as they are, or the raw columns of a table.

    Raises DataError.
    """
    return data.train.x if data.preprocessing is None else data.preprocessing.inputs(_raw(spec)[1].x)


def _arrays(parts: tuple[Rows, ...]) -> list[tuple[Any, Any]]:
    return [(rows.x, rows.y) for rows in parts]


def _raw(spec: SweepSpec) -> tuple[Source, RawRows]:
    """A table and those of its rows that are no test rows."""
    import polars as pl

    source, parts = read_parts(spec)
    if parts.folds:
        return source, parts.train
    x = pl.concat(polars_table(part.x) for part in (parts.train, parts.validation))
    return source, RawRows(x, np.concatenate([parts.train.y, parts.validation.y]))
