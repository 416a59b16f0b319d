"""A million rows load in 1.5 s of CPU, and peak memory beyond that of a small sweep is at most 4 times the array.

    python benchmarks/rows.py [ROWS ...] [--kinds npz csv parquet] [--quick]

Each row of the table is a process of its own. `load` reads, splits and checks the rows. `run` is a whole `sweep run` of
8 trials with 3 epochs each, with finalists, test and model. The rows have 20 numbers of 4 bytes and one of two classes.
CPU is user and system time. "beyond" is the peak less that of the same process with 1,000 rows, divided by the bytes of
the array. `--quick` takes 1,000 and 100,000 rows of npz.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from contenders import as_installed
from printed import print_machine, print_table

COLUMNS, SMALL = 20, 1_000
LOAD = (
    "from pathlib import Path; import polars, sklearn.model_selection; from time import process_time as now; "
    "from keras_sweep.data.catalog import load_search_data; from keras_sweep.space_file.read import read_space_file; "
    "start = now(); load_search_data(read_space_file(Path('space.yaml'))); print(now() - start)"
)
RUN = ("-m", "keras_sweep", "run", "space.yaml", "--quiet", "--fresh", "--backend", "jax")
SPACE = """data: {data}
model:
  dense: {{units: 2, activation: softmax}}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {{name: val_accuracy, goal: maximize}}
parameters:
  optimizer: {{values: [sgd, adam]}}
  learning_rate: {{min: 1e-4, max: 1.0, log: true}}
  batch_size: 128
  epochs: 3
split: {{validation: 0.2, test: 0.2, seed: 42}}
search: {{trials: 8, seed: 42}}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("rows", nargs="*", type=int, default=[100_000, 1_000_000, 4_000_000])
    parser.add_argument("--kinds", nargs="*", choices=("npz", "csv", "parquet"), default=["npz"])
    parser.add_argument("--quick", action="store_true", help="1,000 and 100,000 rows of npz")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.kinds = [100_000], ["npz"]
    print_machine("at the start")
    table = []
    with tempfile.TemporaryDirectory() as name:
        for kind in options.kinds:
            smallest: dict[str, float] = {}
            for rows in (SMALL, *options.rows):
                folder = Path(name) / f"{kind}-{rows}"
                write_rows(folder, kind, rows)
                for what, command in (("load", ("-c", LOAD)), ("run", RUN)):
                    seconds, peak = measure(folder, command)
                    beyond = (peak - smallest.setdefault(what, peak)) / (4e-6 * COLUMNS * rows)
                    table.append([kind, what, f"{rows:,}", f"{seconds:.2f}", f"{peak:,.0f}", f"{beyond:.1f}"])
    head = ["file", "process", "rows", "CPU s", "peak MB", "beyond, times the array"]
    print_table(f"{COLUMNS} columns by rows, caches warm", head, table)
    print_machine("at the end")


def write_rows(folder: Path, kind: str, rows: int) -> None:
    """Write `rows` rows and a space file."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, COLUMNS), dtype=np.float32)
    y = (x @ rng.standard_normal(COLUMNS) + rng.standard_normal(rows) > 0).astype(np.int64)
    frame = pl.DataFrame(x, [f"c{column}" for column in range(COLUMNS)]).with_columns(y=y)
    if kind == "npz":
        np.savez(folder / "rows.npz", x=x, y=y)
    elif kind == "csv":
        frame.write_csv(folder / "rows.csv")
    else:
        frame.write_parquet(folder / "rows.parquet")
    data = f"{{{kind}: rows.{kind}{'' if kind == 'npz' else ', target: y'}}}"
    (folder / "space.yaml").write_text(SPACE.format(data=data))


def measure(folder: Path, command: tuple[str, ...]) -> tuple[float, float]:
    """Return (CPU seconds, peak MB) of a Python process. A process that prints a number tells its seconds itself."""
    with (folder / "printed.txt").open("w") as file:
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=as_installed(), stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    text = (folder / "printed.txt").read_text()
    if status:
        raise SystemExit(f"{command} failed:\n{text}")
    seconds = usage.ru_utime + usage.ru_stime if command is RUN else float(text)
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
