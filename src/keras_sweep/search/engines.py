"""Every engine by library and sampler. A library is imported when its engine is made: no other command waits for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from keras_sweep.errors import UsageError
from keras_sweep.search.keras_tuner.oracle import ORACLES
from keras_sweep.search.optuna.samplers import SAMPLERS

if TYPE_CHECKING:
    from keras_sweep.search.engine import Engine
    from keras_sweep.space.sweep_spec import SweepSpec


def make_engine(spec: SweepSpec) -> Engine:
    """A fresh engine for `spec.search`: `replay` comes first, then `ask`.

    Raises:
        UsageError: there is no such engine, or it has no such sampler, or it can't do what the space file asks for.
    """
    engine, sampler = spec.search.engine, spec.search.sampler
    if engine not in ENGINES:
        raise UsageError(f"there is no engine {engine!r}", hint=f"Engines are {_listed(ENGINES)}")
    if sampler not in ENGINES[engine]:
        raise UsageError(
            f"engine {engine!r} has no sampler {sampler!r}", hint=f"Its samplers are {_listed(ENGINES[engine])}"
        )
    made = _MAKERS[engine](spec)
    if spec.early_terminate is None:
        return made
    if sampler in HAVE_RUNGS:
        raise UsageError(
            f"`sampler: {sampler}` takes no `early_terminate`: it stops poor trials by itself",
            hint="Leave out `early_terminate`, or use another sampler",
        )
    from keras_sweep.search.pruning import PrunedEngine

    return PrunedEngine(made, spec, spec.early_terminate)


def _optuna(spec: SweepSpec) -> Engine:
    from keras_sweep.search.sampler_engine import SamplerEngine

    sampler = SAMPLERS[spec.search.sampler](spec)
    return SamplerEngine(f"optuna/{spec.search.sampler}", sampler, spec.search.seed)


def _keras_tuner(spec: SweepSpec) -> Engine:
    from keras_sweep.search.keras_tuner.engine import KerasTunerEngine

    return KerasTunerEngine(spec)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


ENGINES: Mapping[str, Collection[str]] = {
    "optuna": SAMPLERS,
    "keras-tuner": ORACLES,
}  # engine -> samplers, the first is its default
HAVE_RUNGS = ("hyperband",)  # samplers that choose `epochs` themselves and continue the best
_MAKERS: Mapping[str, Callable[[SweepSpec], Engine]] = {"optuna": _optuna, "keras-tuner": _keras_tuner}
