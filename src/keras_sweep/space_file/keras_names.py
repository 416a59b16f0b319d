"""The names that Keras knows, from keras_tables.json, so that a space file is checked without importing Keras.

`python -m tests.helpers.keras_tables` writes the file anew; the tests compare it with Keras.
"""

from __future__ import annotations

import json
from pathlib import Path

TABLES = json.loads(Path(__file__).with_name("keras_tables.json").read_text(encoding="utf-8"))

# what `compile(loss=...)` takes as text and computes from labels and outputs alone
LOSSES: tuple[str, ...] = tuple(TABLES["losses"])
METRICS_TO_MAXIMIZE: tuple[str, ...] = tuple(TABLES["metrics_to_maximize"])
METRICS_TO_MINIMIZE: tuple[str, ...] = tuple(TABLES["metrics_to_minimize"])
# what `compile(metrics=[...])` takes as text and no argument; Keras logs each under exactly the name it was given by
METRICS: tuple[str, ...] = tuple(sorted({*METRICS_TO_MAXIMIZE, *METRICS_TO_MINIMIZE}))
SAME_METRIC: tuple[tuple[str, ...], ...] = tuple(map(tuple, TABLES["same_metric"]))
ACTIVATIONS: tuple[str, ...] = tuple(TABLES["activations"])
