"""Hyperparameter sweeps for Keras: a compiled program trains many trials at once, and the scores are honest.

    import keras_sweep as ks

    sweep = ks.run("search_spaces/dense.yaml", trials=64)
    sweep.best.params, sweep.estimate

A name is imported at its first use, so that the import of the package stays fast.
"""

from __future__ import annotations

import importlib

# Importing `typing` takes longer than everything else before the handler of Ctrl-C is set.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from keras_sweep.api.compare import compare as compare
    from keras_sweep.api.compare import verify as verify
    from keras_sweep.api.data import baseline as baseline
    from keras_sweep.api.data import import_optuna as import_optuna
    from keras_sweep.api.data import load_data as load_data
    from keras_sweep.api.leaderboard import Leaderboard as Leaderboard
    from keras_sweep.api.run import run as run
    from keras_sweep.api.space import check as check
    from keras_sweep.api.space import init as init
    from keras_sweep.api.space import schema as schema
    from keras_sweep.api.spec import Choice as Choice
    from keras_sweep.api.spec import Csv as Csv
    from keras_sweep.api.spec import Float as Float
    from keras_sweep.api.spec import Int as Int
    from keras_sweep.api.spec import KerasTuner as KerasTuner
    from keras_sweep.api.spec import Npz as Npz
    from keras_sweep.api.spec import Optuna as Optuna
    from keras_sweep.api.spec import Parquet as Parquet
    from keras_sweep.api.spec import Spec as Spec
    from keras_sweep.api.sweep import Sweep as Sweep
    from keras_sweep.api.sweep import open as open
    from keras_sweep.api.sweep import sweeps as sweeps
    from keras_sweep.api.sweep_cv import SweepCV as SweepCV
    from keras_sweep.api.trial import Trial as Trial
    from keras_sweep.api.tuner import BayesianOptimization as BayesianOptimization
    from keras_sweep.api.tuner import GridSearch as GridSearch
    from keras_sweep.api.tuner import Hyperband as Hyperband
    from keras_sweep.api.tuner import RandomSearch as RandomSearch
    from keras_sweep.api.tuner import Tuner as Tuner
    from keras_sweep.errors import Interrupted as Interrupted
    from keras_sweep.errors import SweepError as SweepError
    from keras_sweep.errors import UsageError as UsageError

__version__ = "0.1.0"

_HOMES = {
    "api.compare": ("compare", "verify"),
    "api.data": ("baseline", "import_optuna", "load_data"),
    "api.leaderboard": ("Leaderboard",),
    "api.run": ("run",),
    "api.space": ("check", "init", "schema"),
    "api.spec": ("Choice", "Csv", "Float", "Int", "KerasTuner", "Npz", "Optuna", "Parquet", "Spec"),
    "api.sweep": ("Sweep", "open", "sweeps"),
    "api.sweep_cv": ("SweepCV",),
    "api.trial": ("Trial",),
    "api.tuner": ("BayesianOptimization", "GridSearch", "Hyperband", "RandomSearch", "Tuner"),
    "errors": ("Interrupted", "SweepError", "UsageError"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


if not TYPE_CHECKING:  # or a type checker would accept every name

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from keras_sweep.errors import SweepError
        from keras_sweep.process.backend import check_imported_packages
        from keras_sweep.system.processes import delay_interrupt

        try:
            with delay_interrupt():
                check_imported_packages()
                home = importlib.import_module(f"{__name__}.{_HOME_OF[name]}")
        except (SweepError, KeyboardInterrupt) as error:
            raise error.with_traceback(None) from None
        globals()[name] = value = getattr(home, name)
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
