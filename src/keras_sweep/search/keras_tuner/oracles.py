"""KerasTuner's oracles by the names that a space file has for them."""

from __future__ import annotations

from collections.abc import Mapping

SAMPLERS: Mapping[str, str] = {
    "random": "RandomSearchOracle",
    "bayesian": "BayesianOptimizationOracle",
    "hyperband": "HyperbandOracle",
    "grid": "GridSearchOracle",
}  # name -> class of `keras_tuner.oracles`; the first is the default
