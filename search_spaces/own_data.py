"""Data that a space file names by `python: own_data:FUNCTION`."""

import numpy as np


def rings(rows=600, seed=0):
    """Points of two rings around the origin: x [N, 2], y [N] of 0 (inner) and 1 (outer)."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, rows)
    angle = generator.uniform(0, 2 * np.pi, rows)
    radius = 1 + y + generator.normal(0, 0.25, rows)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype("float32"), y
