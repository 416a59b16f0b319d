"""Hyperparameter sweeps for Keras: many trials as lanes of one compiled program, an honest record.

import keras_sweep as ks

sweep = ks.run("search_spaces/dense.yaml", trials=64)
sweep.best.params, sweep.estimate

Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # `typing` takes longer to import than all else until Ctrl-C is waited for
if TYPE_CHECKING:
    from typing import Any

    from keras_sweep.api.compare import compare, verify
    from keras_sweep.api.leaderboard import Leaderboard
    from keras_sweep.api.run import run
    from keras_sweep.api.spec import Choice, Csv, Float, Int, KerasTuner, Npz, Optuna, Parquet, Spec
    from keras_sweep.api.sweep import Sweep, Trial, open, sweeps
    from keras_sweep.api.tuner import Tuner
    from keras_sweep.errors import Interrupted, SweepError, UsageError

__version__ = "0.1.0"

__all__ = [
    "Choice",
    "Csv",
    "Float",
    "Int",
    "Interrupted",
    "KerasTuner",
    "Leaderboard",
    "Npz",
    "Optuna",
    "Parquet",
    "Spec",
    "Sweep",
    "SweepError",
    "Trial",
    "Tuner",
    "UsageError",
    "compare",
    "open",
    "run",
    "sweeps",
    "verify",
]

_HOMES = {
    "api.compare": ("compare", "verify"),
    "api.leaderboard": ("Leaderboard",),
    "api.run": ("run",),
    "api.spec": ("Choice", "Csv", "Float", "Int", "KerasTuner", "Npz", "Optuna", "Parquet", "Spec"),
    "api.sweep": ("Sweep", "Trial", "open", "sweeps"),
    "api.tuner": ("Tuner",),
    "errors": ("Interrupted", "SweepError", "UsageError"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOME_OF[name]}")
    found = getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
