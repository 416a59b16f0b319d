"""Specs of data that the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keras_sweep.data.catalog import named_set
from keras_sweep.space.sweep_spec import DataSpec, Split, SweepSpec

TABLES = Path(__file__).parents[2] / "search_spaces" / "data"


def spec_of(data: DataSpec, loss: str = "sparse_categorical_crossentropy", folder: Path | None = None) -> SweepSpec:
    """A spec of the dense model on some data."""
    return replace(named_set("iris"), name="it", data=data, loss=loss, folder=folder or Path())


def named(name: str, loss: str | None = None, **split: object) -> SweepSpec:
    """A spec of a named set."""
    spec = named_set(name)
    data = DataSpec("named", name, split=Split(**split))  # type: ignore[arg-type]
    return replace(spec, data=data, loss=loss or spec.loss)


PLANTS = DataSpec("csv", str(TABLES / "plants.csv"), "species")
HOUSES = DataSpec("parquet", str(TABLES / "houses.parquet"), "price")
MOONS = DataSpec("npz", str(TABLES / "moons.npz"))
