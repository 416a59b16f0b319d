"""Where the rows of a space file's `data` are read from: one registry of picture sets, one function for all else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_sweep.data import fashion_mnist, mnist
from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.names import DATA_NAMES
from keras_sweep.data.sklearn_sets import NAMES as SKLEARN_SETS
from keras_sweep.data.sklearn_sets import read_sklearn_set
from keras_sweep.data.source import Source
from keras_sweep.data.table_files import read_table
from keras_sweep.errors import DataError
from keras_sweep.space.plain_text import did_you_mean, listed
from keras_sweep.space.sweep_spec import DataSpec

PICTURES = {fashion_mnist.NAME: fashion_mnist, mnist.NAME: mnist}  # sets that bring a test set in files of its own
MOST_SHOWN = 10  # sweeps that an error lists


def read_source(data: DataSpec, folder: Path) -> Source:
    """All rows of a source that is read whole. Raises DataError."""
    match data.kind:
        case "named" if data.source in SKLEARN_SETS:
            return read_sklearn_set(data.source)
        case "csv" | "parquet":
            return read_table(folder / data.source, data.kind, data.target or "")
        case "npz":
            return read_npz(folder / data.source, data.target)
        case "python":
            return call_python(data.source, folder)
    raise unknown_name(data.source)


def unknown_name(name: str, sweeps: Sequence[str] = ()) -> DataError:
    """The error for a name of nothing, with the nearest name or all data sets.

    Args:
        name: of neither a data set nor one of the sweeps.
        sweeps: that could have been meant.
    """
    near = did_you_mean(name, (*DATA_NAMES, *sweeps))
    here = f"; the sweeps here are {listed(sweeps)}" if 0 < len(sweeps) <= MOST_SHOWN else ""
    return DataError(
        f"there is no data set {name!r}" + (", nor a sweep of that name" if sweeps else ""),
        hint=f"{near[0].upper()}{near[1:]}" if near else f"The data sets are {listed(DATA_NAMES)}{here}",
    )
