"""The engines by name. Each is imported when it is made, so that no command waits for a library it does not use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Engine
from keras_sweep.space.sweep_spec import ENGINES, SweepSpec


def make_engine(spec: SweepSpec) -> Engine:
    """A fresh engine for `spec.search`: `replay` comes first, then `ask`.

    Raises:
        UsageError: there is no such engine, or it has no such sampler, or it can't do what the space file asks for.
    """
    engine, sampler = spec.search.engine, spec.search.sampler
    if engine not in ENGINES:
        raise UsageError(f"there is no engine {engine!r}", hint=f"Engines are {_listed(tuple(ENGINES))}")
    if sampler not in ENGINES[engine]:
        raise UsageError(
            f"engine {engine!r} has no sampler {sampler!r}", hint=f"Its samplers are {_listed(ENGINES[engine])}"
        )
    return _MAKERS[engine](spec)


def _optuna(spec: SweepSpec) -> Engine:
    from keras_sweep.search.optuna.engine import OptunaEngine

    return OptunaEngine(spec)


def _keras_tuner(spec: SweepSpec) -> Engine:
    from keras_sweep.search.keras_tuner.engine import KerasTunerEngine

    return KerasTunerEngine(spec)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


_MAKERS: Mapping[str, Callable[[SweepSpec], Engine]] = {"optuna": _optuna, "keras-tuner": _keras_tuner}
