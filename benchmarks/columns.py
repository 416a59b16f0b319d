"""The CPU seconds of `sweep init`, `check` and `run` of tables of 20,000 columns, 1,000 rows. Goal: 60 s together.

    python benchmarks/columns.py [--columns 2000 20000] [--rows 1000] [--trials 8] [--epochs 3] [--quick]

Whole processes from start to exit, on made-up numbers, a tenth of whose columns misses a tenth of its values. A row for
each number of columns and each format.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from many_trials import cpu_of
from printed import print_machine, print_table

FORMATS = ("csv", "parquet")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--columns", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="500 columns alone")
    options = parser.parse_args()
    if options.quick:
        options.columns = [500]
    print_machine("at the start")
    rows = []
    for columns in options.columns:
        for kind in FORMATS:
            with tempfile.TemporaryDirectory() as place:
                rows.append((f"{columns:,} columns, {kind}", *measure(Path(place), columns, kind, options)))
    print_table("seconds of CPU", ("table", "init", "check", "run", "together"), rows)


def measure(folder: Path, columns: int, kind: str, options: argparse.Namespace) -> tuple[str, ...]:
    """Return the CPU seconds of init, check and run, and their sum, as texts."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(options.rows, columns)).round(4)
    label = (x[:, :5].sum(axis=1) > 0).astype(int)
    gaps = draw.random((options.rows, len(range(5, columns, 10)))) < 0.1
    x[:, 5::10][gaps] = np.nan
    table = pl.DataFrame(x, [f"c{number}" for number in range(columns)]).fill_nan(None)
    table = table.with_columns(pl.Series("target", label))
    (table.write_csv if kind == "csv" else table.write_parquet)(folder / f"rows.{kind}")
    small = ("--trials", str(options.trials), "--set", f"parameters.epochs={options.epochs}")
    calls = (("init", f"rows.{kind}"), ("check", "rows.yaml"), ("run", "rows.yaml", *small))
    seconds = [cpu_of(call, folder) for call in calls]
    return tuple(f"{value:.1f}" for value in (*seconds, sum(seconds)))


if __name__ == "__main__":
    main()
