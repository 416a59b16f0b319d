"""The data sets that a space file may name. `data/catalog.py` loads them."""

from __future__ import annotations

DATA_NAMES: tuple[str, ...] = ("fashion_mnist", "mnist", "digits", "iris", "wine", "breast_cancer", "diabetes")
