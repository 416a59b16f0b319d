"""Makes the made-up tables beside it: `python search_spaces/data/make_tables.py`. The numbers come from a seed.

plants.csv      600 rows, species of 3, numbers and categories, some of both missing
houses.parquet  800 rows, price in units of 100,000, numbers, categories and booleans, some missing
moons.npz       600 points of two half moons: x [600, 2], y [600]
"""

from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent


def plants(draw: np.random.Generator, rows: int = 600) -> pl.DataFrame:
    """Three species that differ in height, petals, colour and soil."""
    species = draw.integers(0, 3, rows)
    height = np.round(draw.normal(np.array([20.0, 34.0, 55.0])[species], 8), 1)
    petals = draw.poisson(np.array([5, 8, 6])[species])
    colour = np.array(["white", "yellow", "red"], object)[(species + (draw.random(rows) < 0.3)) % 3]
    soil = np.array(["clay", "sand", "chalk", "peat"], object)[(species + draw.integers(0, 3, rows)) % 4]
    return pl.DataFrame(
        {
            "height_cm": _with_gaps(height, draw, 0.08),
            "petals": petals,
            "colour": _with_gaps(colour, draw, 0.05),
            "soil": list(soil),
            "wild": draw.random(rows) < 0.2 + 0.3 * (species == 2),
            "species": list(np.array(["campion", "marigold", "poppy"], object)[species]),
        }
    )


def houses(draw: np.random.Generator, rows: int = 800) -> pl.DataFrame:
    """Prices by area, age, district, garden and the way to the station."""
    area = np.round(draw.gamma(9, 12, rows), 1)
    year = draw.integers(1900, 2024, rows)
    district = draw.integers(0, 4, rows)
    garden = draw.random(rows) < 0.4
    way = np.round(draw.exponential(2.0, rows), 2)
    price = (
        1.2
        + 0.022 * area
        + 0.008 * (year - 1960)
        + np.array([0.0, 0.6, 1.4, 0.3])[district]
        + 0.4 * garden
        - 0.12 * way
    )
    return pl.DataFrame(
        {
            "area_m2": area,
            "built": year,
            "district": list(np.array(["harbour", "north", "old town", "west"], object)[district]),
            "garden": garden,
            "station_km": _with_gaps(way, draw, 0.1),
            "price": np.round(price + draw.normal(0, 0.25, rows), 3),
        }
    )


def moons(draw: np.random.Generator, rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other."""
    y = draw.integers(0, 2, rows)
    angle = draw.uniform(0, np.pi, rows)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    x = np.where(y[:, None] == 0, upper, lower) + draw.normal(0, 0.15, (rows, 2))
    return x.astype(np.float32), y.astype(np.int32)


def _with_gaps(values: np.ndarray, draw: np.random.Generator, share: float) -> list[object]:
    return [
        None if gap else value for value, gap in zip(values.tolist(), draw.random(len(values)) < share, strict=True)
    ]


if __name__ == "__main__":
    draw = np.random.default_rng(42)
    plants(draw).write_csv(HERE / "plants.csv")
    houses(draw).write_parquet(HERE / "houses.parquet")
    x, y = moons(draw)
    np.savez_compressed(HERE / "moons.npz", x=x, y=y)
