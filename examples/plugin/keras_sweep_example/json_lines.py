"""A source of another package, once that is installed: `data: {json_lines: rows.jsonl, target: price}`."""

from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from keras_sweep.data.table_files import read_file
from keras_sweep.space.data_spec import Source, TableOptions


def load_json_lines(path: Path, options: Any, gaps: list[str]) -> tuple[pl.DataFrame, None]:
    """The columns of a file with a JSON object a line. `keras_sweep` splits them, and turns texts into numbers."""
    return pl.read_ndjson(path), None


JSON_LINES = Source(
    read=partial(read_file, load_json_lines),
    doc="A file with a JSON object a line.",
    names="file",
    options=TableOptions,
)
